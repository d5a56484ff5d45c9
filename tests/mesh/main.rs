//! Several nodes, each a process of the built program. One serves what another lacks.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "there is nothing outside of a test that could reach it")]
#![allow(dead_code, unused_imports, reason = "the end-to-end tests use what these do not")]

#[path = "../support/nats.rs"]
mod nats;
#[path = "../support/mod.rs"]
mod support;

mod any;
mod basic_auth;
mod cancelled;
mod certificates;
mod circles;
mod cut_uploads;
mod failing;
mod fields;
mod listeners;
mod messages;
mod silence;
mod stalled;
mod upgrades;
mod vanishing;

use std::{
    fs::{self, Permissions},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    process,
    sync::atomic::{AtomicU8, Ordering},
    thread,
    time::{Duration, Instant},
};

use support::{PATIENCE, Start};

const SECRET: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER_SECRET: &str = "100102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const PORT: u16 = 8443;

/// A node that is not started yet. No other test uses its address.
struct Node {
    name: &'static str,
    address: SocketAddr,
}

impl Node {
    fn new(name: &'static str) -> Self {
        static NODES: AtomicU8 = AtomicU8::new(0);

        // All of 127.0.0.0/8 is loopback.
        let [.., high, low] = process::id().to_be_bytes();
        let address = ([127, 200 + NODES.fetch_add(1, Ordering::Relaxed) % 50, high, low], PORT).into();
        Self { name, address }
    }

    /// The value of `--mesh-peer` for other nodes.
    fn peer(&self) -> String {
        format!("{}={}", self.name, self.address)
    }

    /// A start with `peers` as known nodes.
    fn start(&self, peers: &[&Self]) -> Start {
        self.start_with(SECRET, peers)
    }

    fn start_with(&self, secret: &str, peers: &[&Self]) -> Start {
        let start = Start::new().workers(1).bind(&self.address.ip().to_string());
        let file = start.home().join("secret");
        fs::write(&file, secret).unwrap();
        fs::set_permissions(file, Permissions::from_mode(0o600)).unwrap();
        let start = start.flags(&["--node", self.name, "--internal", &PORT.to_string()]);
        peers.iter().fold(start, |start, peer| start.flags(&["--mesh-peer", &peer.peer()]))
    }
}

/// Two nodes.
fn two() -> (Node, Node) {
    (Node::new("a"), Node::new("b"))
}

/// Waits by polling, for conditions that nothing reports.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
