//! pmesh as process 1 of a container.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use crate::{PROGRAM, eventually, is_alive, is_root};

#[test]
fn process_1_reaps_orphans() {
    let home = tempfile::tempdir().unwrap();
    let Some((mut outer, inner)) = start_as_process_1(home.path()) else { return };
    // `sleep` is an orphan of the namespace once the shell has exited.
    let in_namespace = |line: &str| {
        let output = Command::new("nsenter").args(["--pid", "--target", &inner, "sh", "-c", line]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    for _ in 0..20 {
        in_namespace("(sleep 0.02; exit 3) > /dev/null 2>&1 &");
    }
    eventually("orphans came and were reaped", || children_of(&inner).is_empty());
    in_namespace("sleep 1000 > /dev/null 2>&1 &");
    let orphans = children_of(&inner);
    assert_eq!(orphans.len(), 1, "{orphans:?}");
    assert!(is_alive(&orphans[0]), "orphans are not killed");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(orphans[0].parse().unwrap()), nix::sys::signal::SIGKILL).unwrap();
    eventually("it was reaped, too", || children_of(&inner).is_empty());
    // When process 1 exits, the namespace ends.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(inner.parse().unwrap()), nix::sys::signal::SIGTERM).unwrap();
    assert!(outer.wait().unwrap().success());
}

/// pmesh in a namespace for process ids, and its id outside. `None`, with a message, if that is not possible here.
fn start_as_process_1(home: &std::path::Path) -> Option<(Child, String)> {
    if !is_root() {
        return None;
    }
    std::fs::write(home.join("config.toml"), "").unwrap();
    let mut unshare = Command::new("unshare");
    unshare.args(["--pid", "--fork", "--kill-child", "--mount-proc", PROGRAM, "--http", "0", "--https", "0"]);
    unshare.args(["--internal", "0", "--bind", "127.0.0.1", "--workers", "1", "--home"]).arg(home);
    let mut outer = unshare.stderr(Stdio::piped()).stdout(Stdio::null()).stdin(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(outer.stderr.take().unwrap()).lines().map_while(Result::ok);
    let Some(line) = lines.find(|line| line.contains("INFO internal ") || line.contains("unshare")) else {
        eprintln!("skipped: unshare makes no namespace: {}", outer.wait().unwrap());
        return None;
    };
    assert!(line.contains("INFO internal "), "{line}");
    // Reads the log, because a full pipe would stop pmesh.
    std::thread::spawn(move || lines.for_each(drop));
    let inner = children_of(&outer.id().to_string());
    assert_eq!(inner.len(), 1, "{inner:?}");
    Some((outer, inner[0].clone()))
}

/// The children of a process, zombies included.
fn children_of(parent: &str) -> Vec<String> {
    let processes =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let stats = processes.filter_map(|pid| Some((std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?, pid)));
    stats
        .filter(|(stat, _)| stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)) == Some(parent))
        .map(|(_, pid)| pid)
        .collect()
}
