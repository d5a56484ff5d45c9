//! Nodes find each other through a real NATS server. Without one, each test says that it is skipped.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "there is nothing outside of a test that could reach it")]
#![allow(dead_code, unused_imports, reason = "the end-to-end tests use what these do not")]

#[path = "../support/nats.rs"]
mod nats;
#[path = "../support/mod.rs"]
mod support;

mod addresses;
mod nodes;
mod programs;
mod tls;

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime},
};

use async_nats::jetstream::{self, kv::Store};
use nats::Nats;
use pmesh::mesh::{Announcement, Instance, Peers, Registry, RegistryOptions, RegistryView, Seal, Served, Timing};
use support::PATIENCE;
use tokio::sync::watch;

const SECRET: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const OTHER_SECRET: &str = "100102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Entries outlive the test unless they are removed.
const NEVER: Timing = Timing { renewal: Duration::from_secs(3600), lifetime: Duration::from_secs(3600) };
/// Short, but long enough for a busy machine to renew in time.
const SOON: Timing = Timing { renewal: Duration::from_millis(200), lifetime: Duration::from_secs(2) };

/// A registry in this process. Dropping it stops it and waits for it.
struct Node {
    own: Announcement,
    peers: Arc<Peers>,
    registry: Option<Registry>,
    view: RegistryView,
    stop: watch::Sender<bool>,
}

impl Node {
    fn start(name: &str, nats: &Nats, timing: Timing) -> Self {
        Self::with_secret(name, nats, timing, SECRET)
    }

    fn with_secret(name: &str, nats: &Nats, timing: Timing, secret: &str) -> Self {
        let options = RegistryOptions {
            servers: nats.url().parse().unwrap(),
            bucket: "pmesh".to_owned(),
            node: name.parse().unwrap(),
            seal: seal(secret),
            clock_window: Duration::from_secs(60),
            timing,
            view: RegistryView::default(),
        };
        let view = options.view.clone();
        let own = announcement(name);
        let (stop, stopped) = watch::channel(false);
        let peers = Arc::new(Peers::new([].into()));
        let registry = Registry::start(options, Some(own.clone()), Arc::clone(&peers), stopped).unwrap();
        Self { own, peers, registry: Some(registry), view, stop }
    }

    fn registry(&self) -> &Registry {
        self.registry.as_ref().unwrap()
    }

    /// Whether it knows exactly these nodes.
    fn knows(&self, names: &[&str]) -> bool {
        self.peers.load().iter().map(|peer| peer.name.as_str()).eq(names.iter().copied())
    }

    #[track_caller]
    fn wait_until_connected(&self) {
        eventually("the registry is connected", || self.view.status().is_connected());
    }

    #[track_caller]
    fn wait_until_knows(&self, names: &[&str]) {
        eventually(&format!("{} knows {names:?}", self.own.node), || self.knows(names));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.registry.take().unwrap().join();
    }
}

fn seal(secret: &str) -> Seal {
    Seal::new(&[secret.parse().unwrap()]).unwrap()
}

fn announcement(name: &str) -> Announcement {
    Announcement {
        node: name.parse().unwrap(),
        instance: Instance::random(),
        address: format!("{name}.test:8443").parse().unwrap(),
        serves: vec![Served { host: format!("{name}.example").parse().unwrap(), prefix: "/".parse().unwrap() }],
        software: "test".to_owned(),
    }
}

/// Puts an entry that nobody renews into the bucket.
fn put(nats: &Nats, announcement: &Announcement, time: SystemTime, secret: &str) {
    let sealed = seal(secret).seal(announcement, time).unwrap();
    let key = announcement.node.to_string();
    with_bucket(nats, async |_, bucket| {
        bucket.put(key, sealed.into()).await.unwrap();
    });
}

/// Changes the bucket as another program would.
fn with_bucket(nats: &Nats, work: impl AsyncFnOnce(jetstream::Context, Store)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let context = jetstream::new(async_nats::connect(nats.url()).await.unwrap());
        let bucket = context.get_key_value("pmesh").await.unwrap();
        work(context, bucket).await;
    });
}

/// Waits by polling, for conditions that no other thread reports.
#[track_caller]
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
