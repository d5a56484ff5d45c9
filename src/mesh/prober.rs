//! Asking each node regularly whether it answers.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use pmesh_layers::{
    connect::{Resolver, SourceConnector},
    identity::NodeName,
    node::NodeIdentity,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{AskError, NodeClient, NodeReport, Peer, Peers, Route, State, jitter::jittered};
use crate::{settings::Settings, telemetry::causes::with_causes};

/// How often a node is asked, on average.
const INTERVAL: Duration = Duration::from_secs(2);
/// How soon again, on average, when it has just failed to answer.
const AGAIN: Duration = Duration::from_secs(1);
/// How long it may take to answer, and to let itself be connected to.
const PATIENCE: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(1);
/// A node that has not answered so often in a row is dead until it does.
const FAILURES: u32 = 3;
/// How often the table is looked at for nodes that are new.
const LOOK: Duration = Duration::from_millis(500);

/// Asks all nodes that are known, again and again, whether they are there, what they serve, and what time it is there.
#[derive(Debug, Clone)]
pub struct Prober {
    identity: NodeIdentity,
    connector: SourceConnector,
    peers: Arc<Peers>,
    max_age: Option<Duration>,
    clock_window: Duration,
}

impl Prober {
    /// Probes the nodes of `peers`, as `identity`; `resolver` looks up their names.
    pub fn new(settings: &Settings, identity: NodeIdentity, resolver: Resolver, peers: Arc<Peers>) -> Self {
        let connector = SourceConnector::new()
            .source_addresses(settings.source_addresses.iter().copied())
            .connect_timeout(CONNECT)
            .resolver(resolver);
        let (max_age, clock_window) = (settings.pool_max_age, settings.mesh.clock_window);
        Self { identity, connector, peers, max_age, clock_window }
    }

    /// Asks for as long as it is polled.
    pub async fn run(self) {
        let mut tasks = JoinSet::new();
        let mut asked = BTreeMap::<NodeName, (Arc<Peer>, tokio::task::AbortHandle)>::new();
        loop {
            let table = self.peers.load_full();
            asked.retain(|name, (peer, task)| {
                let is_there = table.get(name.as_str()).is_some_and(|now| Arc::ptr_eq(now, peer));
                if !is_there {
                    task.abort();
                }
                is_there
            });
            for peer in table.iter().filter(|peer| !asked.contains_key(&peer.name)).cloned().collect::<Vec<_>>() {
                let task = tasks.spawn(self.clone().ask(Arc::clone(&peer)));
                asked.insert(peer.name.clone(), (peer, task));
            }
            while tasks.try_join_next().is_some() {}
            sleep(LOOK).await;
        }
    }

    async fn ask(self, peer: Arc<Peer>) {
        let addresses = peer.addresses.clone();
        let client = NodeClient::new(self.connector.clone(), self.identity.clone(), peer.name.clone(), addresses);
        let mut client = client.max_age(self.max_age);
        let mut is_named = true;
        loop {
            match timeout(PATIENCE, client.get::<NodeReport>("/v1/node")).await {
                Ok(Ok((report, rtt))) => {
                    self.answered(&peer, &report, rtt);
                    if is_named && report.name != peer.name.as_str() {
                        tracing::warn!("the node that is known as {} calls itself {}", peer.name, report.name);
                    }
                    is_named = report.name == peer.name.as_str();
                }
                Ok(Err(error)) => self.failed(&peer, Some(&error)),
                Err(_) => self.failed(&peer, None),
            }
            let has_just_failed = peer.health.failures() > 0 && peer.health.state() != State::Dead;
            sleep(jittered(if has_just_failed { AGAIN } else { INTERVAL })).await;
        }
    }

    fn answered(&self, peer: &Peer, report: &NodeReport, rtt: Duration) {
        let before = peer.health.state();
        peer.health.succeeded(rtt);
        peer.health
            .said_time(UNIX_EPOCH + Duration::from_secs(report.time.min(u64::from(u32::MAX))), SystemTime::now());
        self.peers.told(&peer.name, report.serves.iter().filter_map(Route::read).collect());
        match before {
            State::Alive => {}
            State::Unknown => tracing::info!("node {} answers", peer.name),
            State::Dead => tracing::info!("node {} answers again", peer.name),
        }
    }

    fn failed(&self, peer: &Peer, error: Option<&AskError>) {
        let before = peer.health.state();
        peer.health.failed(FAILURES);
        if before == State::Dead || peer.health.state() != State::Dead {
            return;
        }
        let name = &peer.name;
        // What it has said in the registry is all that is known of its clock.
        let ahead = peer.health.clock_ahead().filter(|ahead| ahead.unsigned_abs() > self.clock_window.as_secs());
        match (error, ahead) {
            (Some(error), Some(ahead)) if error.is_silence() => {
                let direction = if ahead < 0 { "behind" } else { "ahead of" };
                tracing::warn!(
                    "node {name} is silent: its clock is {} s {direction} ours, and nodes more than {} s apart do not \
                     talk to each other: set the clocks right, or raise mesh_clock_window on both",
                    ahead.unsigned_abs(),
                    self.clock_window.as_secs()
                );
            }
            (Some(error), _) => tracing::warn!("no answer any more: {}", with_causes(error)),
            (None, _) => tracing::warn!("no answer any more: node {name} takes longer than {} s", PATIENCE.as_secs()),
        }
    }
}
