//! A network of the test's own, in which an address can vanish without a FIN or RST.

use std::{
    io,
    net::IpAddr,
    panic::resume_unwind,
    process::{Command, Stdio},
    thread,
};

use nix::sched::{CloneFlags, unshare};

/// Loopback and nothing else, for one thread and everything that it starts.
pub struct Network(());

/// Runs a test in a network of its own, which takes root. Without it, prints why the test is skipped.
pub fn isolated(test: impl FnOnce(&Network) + Send + 'static) {
    let run = move || match Network::new() {
        Ok(network) => test(&network),
        Err(error) => eprintln!("skipped: cannot make a network of its own: {error}"),
    };
    // Threads and programs that are started by this thread inherit the network.
    thread::spawn(run).join().unwrap_or_else(|panic| resume_unwind(panic));
}

impl Network {
    fn new() -> io::Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        ip("link set lo up")?;
        // After the rules that make an address vanish.
        ip("rule add pref 100 lookup local")?;
        ip("rule del pref 0 lookup local")?;
        Ok(Self(()))
    }

    /// From now on, no packet reaches the address or leaves it.
    pub fn cut(&self, address: IpAddr) {
        ip(&format!("rule add pref 1 to {address} blackhole")).unwrap();
        ip(&format!("rule add pref 1 from {address} blackhole")).unwrap();
    }
}

fn ip(arguments: &str) -> io::Result<()> {
    let status = Command::new("ip").args(arguments.split(' ')).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("`ip {arguments}` failed: {status}"))) }
}
