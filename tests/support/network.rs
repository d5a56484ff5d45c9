//! A private network for a test, in which an address can vanish without a FIN or RST.

use std::{
    io,
    net::IpAddr,
    panic::resume_unwind,
    process::{Command, Stdio},
    thread,
};

use nix::sched::{CloneFlags, unshare};

/// A network with nothing but loopback, for one thread and everything that it starts.
pub struct Network(());

/// Runs a test in a private network, which requires root. Without root, prints why the test is skipped.
pub fn isolated(test: impl FnOnce(&Network) + Send + 'static) {
    let run = move || match Network::new() {
        Ok(network) => test(&network),
        Err(error) => eprintln!("skipped: cannot create a private network: {error}"),
    };
    // Threads and programs started by this thread inherit the network.
    thread::spawn(run).join().unwrap_or_else(|panic| resume_unwind(panic));
}

impl Network {
    fn new() -> io::Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        ip("link set lo up")?;
        // Looked up after the rules that make an address vanish.
        ip("rule add pref 100 lookup local")?;
        ip("rule del pref 0 lookup local")?;
        Ok(Self(()))
    }

    /// Drops all packets to and from the address from now on.
    pub fn cut(&self, address: IpAddr) {
        ip(&format!("rule add pref 1 to {address} blackhole")).unwrap();
        ip(&format!("rule add pref 1 from {address} blackhole")).unwrap();
    }
}

fn ip(arguments: &str) -> io::Result<()> {
    let status = Command::new("ip").args(arguments.split(' ')).stderr(Stdio::null()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("`ip {arguments}` failed: {status}"))) }
}
