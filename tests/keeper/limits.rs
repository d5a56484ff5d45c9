//! Programs get their limits.

use pmesh::settings::ServiceLimits;

use crate::{Side, shell};

#[tokio::test]
async fn limits_hold_in_the_program() {
    let mut side = Side::start().await;
    let mut launch = shell("ulimit -n; ulimit -Hn; ulimit -d");
    launch.limits = ServiceLimits { memory: Some(256 << 20), open_files: Some(77), millicpus: Some(500) };
    let weaker = side.keeper.weaker_limits(&launch.limits).unwrap_or_default();
    let memory = if weaker.contains("limits.memory") { "262144" } else { "unlimited" };
    assert_eq!(side.output(&launch).await, format!("77\n77\n{memory}\n"));
    assert_eq!(side.keeper.weaker_limits(&ServiceLimits::default()), None);
    let files = ServiceLimits { open_files: Some(1), ..ServiceLimits::default() };
    assert_eq!(side.keeper.weaker_limits(&files), None);
}

#[tokio::test]
async fn without_limits_programs_get_those_of_pmesh() {
    let mut side = Side::start().await;
    let (soft, hard) = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
    assert_eq!(side.output(&shell("ulimit -n; ulimit -Hn")).await, format!("{soft}\n{hard}\n"));
}

#[tokio::test]
async fn memory_beyond_the_limit_is_refused() {
    let mut side = Side::start().await;
    let mut launch = shell("head -c 100000000 /dev/zero | tail | wc -c");
    assert_eq!(side.output(&launch).await.trim(), "100000000");
    launch.limits.memory = Some(32 << 20);
    let (_, output) = side.run(1, &launch).await;
    let (stdout, stderr) = (crate::read(&output.stdout).await, crate::read(&output.stderr).await);
    let status = side.exit(1).await;
    assert!(stdout.trim() != "100000000", "{status}: {stdout} {stderr}");
}
