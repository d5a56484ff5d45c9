//! Probes each node regularly.

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

use super::{NodeClient, NodeClientError, NodeReport, Peer, Peers, Route, State, jitter::jittered};
use crate::{settings::Settings, telemetry::causes::with_causes};

/// Average time between two probes of a node.
const INTERVAL: Duration = Duration::from_secs(2);
/// Average time to the next probe after a failure.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);
/// How long a probe may take, and how long connecting may take within it.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// After this many failures in a row, a node is dead until it responds.
const MAX_FAILURES: u32 = 3;
/// How often to look for new nodes in the table.
const TABLE_INTERVAL: Duration = Duration::from_millis(500);

/// Probes all known nodes regularly: whether they respond, what they serve, and what their clocks show.
#[derive(Debug, Clone)]
pub struct Prober {
    identity: NodeIdentity,
    connector: SourceConnector,
    peers: Arc<Peers>,
    max_age: Option<Duration>,
    clock_window: Duration,
}

impl Prober {
    /// Creates a prober for the nodes of `peers`, which connects as `identity` and resolves names with `resolver`.
    pub fn new(settings: &Settings, identity: NodeIdentity, resolver: Resolver, peers: Arc<Peers>) -> Self {
        let connector = SourceConnector::new()
            .source_addresses(settings.source_addresses.iter().copied())
            .connect_timeout(CONNECT_TIMEOUT)
            .resolver(resolver);
        let (max_age, clock_window) = (settings.pool_max_age, settings.mesh.clock_window);
        Self { identity, connector, peers, max_age, clock_window }
    }

    /// Probes for as long as it is polled.
    pub async fn run(self) {
        let mut tasks = JoinSet::new();
        let mut probed = BTreeMap::<NodeName, (Arc<Peer>, tokio::task::AbortHandle)>::new();
        loop {
            let table = self.peers.load_full();
            probed.retain(|name, (peer, task)| {
                let is_known = table.get(name.as_str()).is_some_and(|now| Arc::ptr_eq(now, peer));
                if !is_known {
                    task.abort();
                }
                is_known
            });
            for peer in table.iter().filter(|peer| !probed.contains_key(&peer.name)).cloned().collect::<Vec<_>>() {
                let task = tasks.spawn(self.clone().probe(Arc::clone(&peer)));
                probed.insert(peer.name.clone(), (peer, task));
            }
            while tasks.try_join_next().is_some() {}
            sleep(TABLE_INTERVAL).await;
        }
    }

    async fn probe(self, peer: Arc<Peer>) {
        let addresses = peer.addresses.clone();
        let client = NodeClient::new(self.connector.clone(), self.identity.clone(), peer.name.clone(), addresses);
        let mut client = client.max_age(self.max_age);
        let mut is_named = true;
        loop {
            match timeout(PROBE_TIMEOUT, client.get::<NodeReport>("/v1/node")).await {
                Ok(Ok((report, rtt))) => {
                    self.responded(&peer, &report, rtt);
                    if is_named && report.name != peer.name.as_str() {
                        tracing::warn!("the node known as {} reports its name as {}", peer.name, report.name);
                    }
                    is_named = report.name == peer.name.as_str();
                }
                Ok(Err(error)) => self.failed(&peer, Some(&error)),
                Err(_) => self.failed(&peer, None),
            }
            let has_just_failed = peer.health.failures() > 0 && peer.health.state() != State::Dead;
            sleep(jittered(if has_just_failed { RETRY_INTERVAL } else { INTERVAL })).await;
        }
    }

    fn responded(&self, peer: &Peer, report: &NodeReport, rtt: Duration) {
        let before = peer.health.state();
        peer.health.succeeded(rtt);
        peer.health
            .record_clock(UNIX_EPOCH + Duration::from_secs(report.time.min(u64::from(u32::MAX))), SystemTime::now());
        self.peers.set_reported(&peer.name, report.serves.iter().filter_map(Route::read).collect());
        match before {
            State::Alive => {}
            State::Unknown => tracing::info!("node {} responds", peer.name),
            State::Dead => tracing::info!("node {} responds again", peer.name),
        }
    }

    fn failed(&self, peer: &Peer, error: Option<&NodeClientError>) {
        let before = peer.health.state();
        peer.health.failed(MAX_FAILURES);
        if before == State::Dead || peer.health.state() != State::Dead {
            return;
        }
        let name = &peer.name;
        // A silent node does not report its time here, but it may have done so in the registry.
        let ahead = peer.health.clock_ahead().filter(|ahead| ahead.unsigned_abs() > self.clock_window.as_secs());
        match (error, ahead) {
            (Some(error), Some(ahead)) if error.is_silence() => {
                let direction = if ahead < 0 { "behind" } else { "ahead of" };
                tracing::warn!(
                    "node {name} does not respond: its clock is {} s {direction} ours, and nodes whose clocks are more than \
                     {} s apart refuse each other; correct the clocks, or raise mesh_clock_window on both",
                    ahead.unsigned_abs(),
                    self.clock_window.as_secs()
                );
            }
            (Some(error), _) => tracing::warn!("node {name} does not respond: {}", with_causes(error)),
            (None, _) => tracing::warn!("node {name} does not respond within {} s", PROBE_TIMEOUT.as_secs()),
        }
    }
}
