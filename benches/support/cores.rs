//! Who runs on which core, and who goes first there: on a real network attackers, the proxy, other clients and backends
//! are on machines of their own.

use std::{
    process::{Command, Stdio, id},
    thread::available_parallelism,
};

use nix::unistd::gettid;

/// The command prefix that starts the proxy on a core of its own. See [`leave_one`].
pub const OF_ITS_OWN: &[&str] = &["taskset", "-c", "0"];

/// Keeps this process, and the processes that it starts from now on, off the core of the proxy.
///
/// # Panics
///
/// If there is only one core.
pub fn leave_one() {
    let cores = available_parallelism().unwrap().get();
    assert!(cores > 1, "this needs two cores, one of them for the proxy alone");
    told("taskset", &["-p", "-c", &format!("1-{}", cores - 1), &id().to_string()]);
}

/// Lets this thread, and the threads and processes that it starts from now on, run only when the core is idle. Nobody should
/// have to wait for attackers and their backends.
pub fn come_last() {
    // Linux accepts a thread id as a process id, and then changes only that thread.
    told("chrt", &["--idle", "-p", "0", &gettid().to_string()]);
}

fn told(program: &str, arguments: &[&str]) {
    match Command::new(program).args(arguments).stdout(Stdio::null()).status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{program} {arguments:?}: {status}"),
        Err(error) => panic!("{program}: {error}; install it, it is in util-linux"),
    }
}
