//! The reports of a node about itself and its peers.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use pmesh_layers::{identity::NodeName, mirror::MirrorStats};
use tokio::sync::watch;

use super::{CountersReport, HealthReport, ListenerReport, NodeReport, PeerReport, PeersReport, RegistryReport, Route};
use crate::{
    mesh::{Instance, Peers, RegistryStatus, RegistryView, Served, Source, State},
    settings::{Listener, RegistryServers},
    telemetry::counters::{Counters, LimitCounters, copies},
};

/// Everything that can be reported about this node, always current.
#[derive(Debug)]
pub struct About {
    /// Its name.
    pub name: NodeName,
    /// The run of the program.
    pub instance: Instance,
    /// When it started.
    pub started: Instant,
    /// The addresses that it listens on; a reload can change them.
    pub listeners: ArcSwap<Vec<(Listener, SocketAddr)>>,
    /// The routes that it serves itself; a reload can change them.
    pub serves: ArcSwap<Vec<Served>>,
    /// The nodes that it knows.
    pub peers: Arc<Peers>,
    /// The servers and the state of its registry, if it has one.
    pub registry: Option<(RegistryServers, RegistryView)>,
    /// The counters of each worker.
    pub counters: Vec<Arc<Counters>>,
    /// The counters of limits.
    pub limited: Arc<LimitCounters>,
    /// The counts of copies of requests.
    pub mirrored: Arc<MirrorStats>,
    /// Whether it is shutting down.
    pub stop: watch::Receiver<bool>,
}

impl About {
    /// Reports on the node itself.
    pub fn node(&self) -> NodeReport {
        NodeReport {
            name: self.name.to_string(),
            instance: self.instance.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime: self.started.elapsed().as_secs(),
            time: seconds(SystemTime::now()),
            serves: self.serves.load().iter().map(Route::from_served).collect(),
            listeners: self.listeners.load().iter().map(ListenerReport::new).collect(),
        }
    }

    /// Reports the nodes that it knows.
    pub fn peers(&self) -> PeersReport {
        let table = self.peers.load_full();
        let peers = table.iter().map(|peer| {
            let health = &peer.health;
            PeerReport {
                name: peer.name.to_string(),
                addresses: peer.addresses.iter().map(ToString::to_string).collect(),
                source: match peer.source {
                    Source::Static => "static",
                    Source::Registry => "registry",
                }
                .to_owned(),
                state: match health.state() {
                    State::Unknown => "unknown",
                    State::Alive => "alive",
                    State::Dead => "dead",
                }
                .to_owned(),
                rtt: health.rtt().map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX)),
                failures: health.failures(),
                last_seen: health.last_response().map(seconds),
                clock_ahead: health.clock_ahead(),
                serves: table.serves(peer.name.as_str()).map(|serves| serves.iter().map(Route::from_served).collect()),
            }
        });
        PeersReport { peers: peers.collect() }
    }

    /// Reports the state of its registry.
    pub fn registry(&self) -> RegistryReport {
        let Some((servers, registry)) = &self.registry else {
            return RegistryReport { servers: None, connected: false, since: None, error: None, unbelieved: 0 };
        };
        let (connected, since, error) = match &*registry.status() {
            RegistryStatus::Connected { since } => (true, *since, None),
            RegistryStatus::Disconnected { since, error } => (false, *since, error.clone()),
        };
        RegistryReport {
            servers: Some(servers.to_string()),
            connected,
            since: Some(seconds(since)),
            error,
            unbelieved: registry.rejected(),
        }
    }

    /// Reports its counters since it started.
    pub fn counters(&self) -> CountersReport {
        let total = |count: fn(&Counters) -> u64| self.counters.iter().map(|worker| count(worker)).sum();
        let silent = Counters::rejections(self.counters.iter().map(|worker| &**worker));
        CountersReport {
            connections: total(|worker| worker.connections.value()),
            requests: total(|worker| worker.requests.value()),
            silent: silent.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect(),
            limited: self.limited.counts().map(|(key, count)| (key.to_owned(), count)).collect(),
            mirrored: copies(&self.mirrored).map(|(what, count)| (what.to_owned(), count)).collect(),
        }
    }

    /// Reports whether it serves.
    pub fn health(&self) -> HealthReport {
        HealthReport { serving: !*self.stop.borrow() }
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
