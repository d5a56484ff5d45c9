//! What nodes report to each other, as JSON.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{mesh::Served, settings::Listener};

/// A node's report on itself: `/v1/node`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// The run of the program.
    pub instance: String,
    /// The version of the program.
    pub version: String,
    /// Seconds since it started.
    pub uptime: u64,
    /// The time of its clock.
    pub time: u64,
    /// The routes that it serves itself.
    pub serves: Vec<Route>,
    /// The addresses that it listens on.
    pub listeners: Vec<ListenerReport>,
}

/// A host and a path prefix.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// A name, or `*.` and a name.
    pub host: String,
    /// Starts with a `/`.
    pub prefix: String,
}

impl Route {
    /// The JSON form of `served`.
    pub fn from_served(served: &Served) -> Self {
        Self { host: served.host.to_string(), prefix: served.prefix.to_string() }
    }

    /// Parses it; `None` if it is not valid.
    pub fn read(&self) -> Option<Served> {
        Some(Served { host: self.host.parse().ok()?, prefix: self.prefix.parse().ok()? })
    }
}

/// One listener of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerReport {
    /// `http`, `https`, `internal`, or its name in the configuration.
    pub name: String,
    /// An IP address and a port.
    pub address: String,
}

impl ListenerReport {
    /// The JSON form of a listener at an address.
    pub fn new((listener, address): &(Listener, SocketAddr)) -> Self {
        Self { name: listener.name().to_owned(), address: address.to_string() }
    }
}

/// The nodes that a node knows: `/v1/peers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeersReport {
    /// By name.
    pub peers: Vec<PeerReport>,
}

/// A node, as another node knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerReport {
    /// Its name.
    pub name: String,
    /// Its addresses, in the order in which they are tried.
    pub addresses: Vec<String>,
    /// `static` if it is in the settings, else `registry`.
    pub source: String,
    /// `alive`, `dead`, or `unknown` until it has responded or failed too often.
    pub state: String,
    /// How long its last response took, in microseconds.
    pub rtt: Option<u64>,
    /// Failures since its last response.
    pub failures: u32,
    /// The time of its last response.
    pub last_seen: Option<u64>,
    /// How many seconds its clock is ahead, if it has reported its time. Negative if it is behind.
    pub clock_ahead: Option<i64>,
    /// The routes that it serves itself, if known.
    pub serves: Option<Vec<Route>>,
}

/// The state of a node's registry: `/v1/registry`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryReport {
    /// The servers, without a password. `None` if no registry is configured.
    pub servers: Option<String>,
    /// Whether the node is connected to it.
    pub connected: bool,
    /// When the connection was made, or lost.
    pub since: Option<u64>,
    /// Why it is not connected.
    pub error: Option<String>,
    /// How many entries were ignored because their seal was wrong or they could not be read. A renewed entry counts again.
    pub unbelieved: u64,
}

/// The counters of a node since it started: `/v1/counters`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountersReport {
    /// Connections accepted.
    pub connections: u64,
    /// Requests that named a served host.
    pub requests: u64,
    /// Connections that were closed in silence, by reason.
    pub silent: BTreeMap<String, u64>,
    /// Requests that were rejected by a limit of their route, by its key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub limited: BTreeMap<String, u64>,
    /// The counts of copies of requests for mirrors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mirrored: BTreeMap<String, u64>,
}

/// Whether a node serves: `/v1/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// False during shutdown.
    pub serving: bool,
}
