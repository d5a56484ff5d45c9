//! The registry, where nodes find each other: a key-value bucket in NATS.

mod keeper;
mod options;
mod roster;
mod session;
mod status;
mod warnings;

use std::{io, sync::Arc, thread, time::Duration};

use tokio::{sync::watch, time::sleep};

use self::{keeper::Keeper, session::End};
pub use self::{
    options::{RegistryOptions, Timing},
    status::{RegistryStatus, RegistryView},
};
use super::{Announcement, Peers, jitter::jittered};

/// Longest wait before the next attempt to reach the registry, on average.
const MAX_WAIT: Duration = Duration::from_secs(5);
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// The registry, where nodes find each other: a key-value bucket in NATS with an entry for each node, which the node
/// itself renews.
///
/// Nothing waits for it. While it is unavailable, however long that is, the last known nodes stay in use.
#[derive(Debug)]
pub struct Registry {
    own: watch::Sender<Option<Announcement>>,
    thread: thread::JoinHandle<()>,
}

impl Registry {
    /// Starts a thread that copies the announcements of other nodes to `peers`, and publishes `own`. When `stop` becomes
    /// true, it removes its own entry and ends. Without `own`, it only reads.
    ///
    /// # Errors
    ///
    /// If the system cannot create a thread or a runtime.
    pub fn start(
        options: RegistryOptions,
        own: Option<Announcement>,
        peers: Arc<Peers>,
        stop: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (own, announced) = watch::channel(own);
        let keeper = Keeper::new(options, announced, peers);
        let thread = thread::Builder::new().name("registry".into()).spawn(move || {
            runtime.block_on(run(keeper, stop));
            // Does not wait for DNS lookups.
            runtime.shutdown_background();
        })?;
        Ok(Self { own, thread })
    }

    /// A handle to publish this node's entry at once, for example when the [`Seal`](super::Seal) has changed.
    pub fn renewal(&self) -> Renewal {
        Renewal(self.own.clone())
    }

    /// Waits for the thread to end, after `stop` was set.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the thread of the node registry panicked; this is a bug");
        }
    }
}

/// Makes a [`Registry`] publish this node's entry again.
#[derive(Debug, Clone)]
pub struct Renewal(watch::Sender<Option<Announcement>>);

impl Renewal {
    /// Publishes the same announcement again.
    pub fn renew(&self) {
        self.0.send_modify(|_| {});
    }

    /// Publishes a new announcement at once.
    pub fn announce(&self, own: Option<Announcement>) {
        self.0.send_replace(own);
    }
}

async fn run(mut keeper: Keeper, mut stop: watch::Receiver<bool>) {
    let mut wait = FIRST_WAIT;
    loop {
        let error = match keeper.session(&mut stop).await {
            End::Stopped => return,
            End::NotReached(error) => error,
            End::Lost(error) => {
                wait = FIRST_WAIT;
                error
            }
        };
        keeper.disconnected(&error);
        tokio::select! {
            // An error means that the sender is gone, which is treated as shutdown.
            _ = stop.wait_for(|stop| *stop) => return,
            () = sleep(jittered(wait)) => {}
        }
        wait = (wait * 2).min(MAX_WAIT);
    }
}
