//! Who goes first where threads share the cores.

use std::process::{Command, Stdio};

use nix::unistd::gettid;

/// Gives this thread, and those it starts from now on, what the others leave of the cores. For attackers, which on a
/// real network run on machines of their own: others should wait for what the proxy does, not for attackers to be
/// scheduled.
pub fn lowest_priority() {
    let thread = gettid().to_string();
    // Linux takes the id of a thread for that of a process, and then means that thread alone.
    let status = Command::new("renice").args(["-n", "19", "-p", &thread]).stdout(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => {}
        Ok(status) => panic!("the attacker's priority could not be lowered: renice ended with {status}"),
        Err(error) => {
            panic!("the attacker's priority could not be lowered: renice: {error}; install it, it is in util-linux")
        }
    }
}
