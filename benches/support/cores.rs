//! Who runs on which core, and who goes first there: on a real network attackers, the proxy, other clients and backends
//! are on machines of their own.

use std::{
    process::{Command, Stdio, id},
    thread::available_parallelism,
};

use nix::unistd::gettid;

/// What starts the proxy, with one worker, on a core of its own. See [`leave_one`].
pub const OF_ITS_OWN: &[&str] = &["taskset", "-c", "0"];

/// Keeps this process, and what it starts from now on, off the core of the proxy.
///
/// # Panics
///
/// When there is no other one.
pub fn leave_one() {
    let cores = available_parallelism().unwrap().get();
    assert!(cores > 1, "this takes two cores: one of them is for the proxy alone");
    told("taskset", &["-p", "-c", &format!("1-{}", cores - 1), &id().to_string()]);
}

/// Lets this thread, and those and what it starts from now on, run only where nobody else wants to: attackers and what
/// serves them are not what others wait for.
pub fn come_last() {
    // Linux takes the id of a thread for that of a process, and then means that thread alone.
    told("chrt", &["--idle", "-p", "0", &gettid().to_string()]);
}

fn told(program: &str, arguments: &[&str]) {
    match Command::new(program).args(arguments).stdout(Stdio::null()).status() {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("{program} {arguments:?} ended with {status}"),
        Err(error) => panic!("{program}: {error}; install it, it is in util-linux"),
    }
}
