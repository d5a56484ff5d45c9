//! Assigns processes to cores, and priorities on a core. On a real network, the proxy, attackers, other clients and backends
//! each have machines of their own.

use std::{
    process::{Command, Stdio, id},
    thread::available_parallelism,
};

use nix::unistd::gettid;

/// The command prefix that starts the proxy on a core of its own. See [`leave_proxy_core`].
pub const PROXY_CORE: &[&str] = &["taskset", "-c", "0"];

/// Keeps this process, and the processes that it starts from now on, off the core of the proxy.
///
/// # Panics
///
/// If there is only one core.
pub fn leave_proxy_core() {
    let cores = available_parallelism().unwrap().get();
    assert!(cores > 1, "this needs two cores, one of them for the proxy alone");
    run("taskset", &["-p", "-c", &format!("1-{}", cores - 1), &id().to_string()]);
}

/// Lets this thread, and the threads and processes that it starts from now on, run only when the core is idle, so that nothing
/// else has to wait for them. For attackers and their backends.
pub fn run_only_when_idle() {
    // Linux accepts a thread id as a process id, and then changes only that thread.
    run("chrt", &["--idle", "-p", "0", &gettid().to_string()]);
}

fn run(program: &str, arguments: &[&str]) {
    match Command::new(program).args(arguments).stdout(Stdio::null()).status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{program} {arguments:?}: {status}"),
        Err(error) => panic!("{program}: {error}; install it, it is in util-linux"),
    }
}
