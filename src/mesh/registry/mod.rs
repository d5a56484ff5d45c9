//! The registry: where nodes find each other, a key-value bucket of NATS.

mod complaints;
mod keeper;
mod options;
mod roster;
mod session;
mod status;

use std::{io, sync::Arc, thread, time::Duration};

use tokio::{sync::watch, time::sleep};

use self::{keeper::Keeper, session::End};
pub use self::{
    options::{RegistryOptions, Timing},
    status::{RegistryStatus, RegistryView},
};
use super::{Announcement, Peers, jitter::jittered};

/// The longest wait before the next try to reach the registry is between half of this and one and a half of it.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Where nodes find each other: a key-value bucket of NATS, with an entry for each node, which the node itself renews.
///
/// Nothing waits for it: while it is away, the nodes that were known last stay known, for as long as it takes.
#[derive(Debug)]
pub struct Registry {
    own: watch::Sender<Option<Announcement>>,
    thread: thread::JoinHandle<()>,
}

impl Registry {
    /// Puts what it finds into `peers`, and `own` where others find it, until `stop` says true; then takes the own entry
    /// away. Runs on a thread of its own. A node that announces nothing only looks.
    ///
    /// # Errors
    ///
    /// When the system gives no thread or no runtime.
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
            // Does not wait for look-ups of names.
            runtime.shutdown_background();
        })?;
        Ok(Self { own, thread })
    }

    /// Something to let it put the own entry anew by, at once, as with another [`Seal`](super::Seal).
    pub fn renewal(&self) -> Renewal {
        Renewal(self.own.clone())
    }

    /// Waits until it has ended, after the stop.
    pub fn join(self) {
        if self.thread.join().is_err() {
            tracing::error!("the registry of nodes has broken down; this is a bug");
        }
    }
}

/// Lets a [`Registry`] put the own entry anew.
#[derive(Debug, Clone)]
pub struct Renewal(watch::Sender<Option<Announcement>>);

impl Renewal {
    /// Does so.
    pub fn renew(&self) {
        self.0.send_modify(|_| {});
    }

    /// Tells other nodes something new of this one, at once.
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
        keeper.away(&error);
        tokio::select! {
            // An error: whoever could say it is gone.
            _ = stop.wait_for(|stop| *stop) => return,
            () = sleep(jittered(wait)) => {}
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
