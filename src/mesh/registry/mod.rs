mod complaints;
mod roster;
mod session;
mod status;

use std::{
    io,
    sync::{Arc, atomic::AtomicU64, atomic::Ordering},
    thread,
    time::Duration,
};

use arc_swap::ArcSwap;
use pmesh_layers::identity::NodeName;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

pub use self::status::RegistryStatus;
use self::{complaints::Complaints, roster::Roster, session::End, status::Standing};
use super::{Announcement, Peers, Seal};
use crate::settings::{RegistryServers, Settings};

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

/// What can be seen of a [`Registry`]; before it is started, that it is away. Clones see the same.
#[derive(Debug, Clone, Default)]
pub struct RegistryView {
    status: Arc<ArcSwap<RegistryStatus>>,
    unbelieved: Arc<AtomicU64>,
}

impl RegistryView {
    /// Whether it is there.
    pub fn status(&self) -> Arc<RegistryStatus> {
        self.status.load_full()
    }

    /// How many entries were not believed so far; each is counted as often as it is renewed.
    pub fn unbelieved(&self) -> u64 {
        self.unbelieved.load(Ordering::Relaxed)
    }
}

/// What a [`Registry`] runs on.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Where NATS is.
    pub servers: RegistryServers,
    /// The bucket; letters, digits, `-` and `_`.
    pub bucket: String,
    /// The name of this node.
    pub node: NodeName,
    /// What makes and proves entries.
    pub seal: Seal,
    /// How far the clock of another node may be from ours before that is told.
    pub clock_window: Duration,
    /// When what is done.
    pub timing: Timing,
    /// Where it can be seen how the registry is.
    pub view: RegistryView,
}

/// When what is done.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How often this node renews its entry: 5 seconds.
    pub renewal: Duration,
    /// How long an entry holds that is not renewed: 15 seconds.
    pub lifetime: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { renewal: Duration::from_secs(5), lifetime: Duration::from_secs(15) }
    }
}

impl RegistryOptions {
    /// Those of the settings; `None` where they name no registry.
    pub fn new(settings: &Settings, seal: Seal) -> Option<Self> {
        Some(Self {
            servers: settings.mesh.registry.clone()?,
            bucket: settings.mesh.registry_bucket.clone(),
            node: settings.node.clone(),
            seal,
            clock_window: settings.mesh.clock_window,
            timing: Timing::default(),
            view: RegistryView::default(),
        })
    }
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
        let RegistryView { status, unbelieved } = options.view.clone();
        let (own, announced) = watch::channel(own);
        let keeper = Keeper {
            roster: Roster::new(options.timing.lifetime),
            options,
            own: announced,
            peers,
            stop,
            standing: Standing::new(status),
            complaints: Complaints::default(),
            unbelieved,
        };
        let thread = thread::Builder::new().name("registry".into()).spawn(move || {
            runtime.block_on(keeper.run());
            // Does not wait for look-ups of names.
            runtime.shutdown_background();
        })?;
        Ok(Self { own, thread })
    }

    /// Tells other nodes something new of this one, at once.
    pub fn announce(&self, own: Option<Announcement>) {
        self.own.send_replace(own);
    }

    /// Something to let it put the own entry anew by, at once, as with another [`Seal`].
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
}

/// What the thread works with.
struct Keeper {
    options: RegistryOptions,
    own: watch::Receiver<Option<Announcement>>,
    peers: Arc<Peers>,
    stop: watch::Receiver<bool>,
    roster: Roster,
    standing: Standing,
    complaints: Complaints,
    unbelieved: Arc<AtomicU64>,
}

impl Keeper {
    async fn run(mut self) {
        let mut wait = FIRST_WAIT;
        loop {
            let error = match self.session().await {
                End::Stopped => return,
                End::NotReached(error) => error,
                End::Lost(error) => {
                    wait = FIRST_WAIT;
                    error
                }
            };
            self.standing.away(&error, &self.options.servers, self.roster.len());
            let mut stop = self.stop.clone();
            tokio::select! {
                // An error: whoever could say it is gone.
                _ = stop.wait_for(|stop| *stop) => return,
                () = sleep(jittered(wait)) => {}
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Puts what is known now where requests find it.
    fn publish(&self) {
        self.peers.announce(self.roster.announced());
    }

    fn expire(&mut self) {
        let gone = self.roster.expire(Instant::now());
        for node in &gone {
            tracing::warn!("node {node} is gone: it has not renewed its entry in the registry");
        }
        if !gone.is_empty() {
            self.publish();
        }
    }
}

/// From half to one and a half of `wait`, so that nodes that lost the same thing at once do not come back at once.
pub(super) fn jittered(wait: Duration) -> Duration {
    rand::random_range(wait / 2..=wait * 3 / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_differ_within_bounds() {
        let waits: Vec<_> = (0..100).map(|_| jittered(LONGEST_WAIT)).collect();
        assert!(waits.iter().all(|wait| (LONGEST_WAIT / 2..=LONGEST_WAIT * 3 / 2).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }
}
