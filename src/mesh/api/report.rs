//! What nodes tell each other, as JSON.

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{mesh::Served, settings::Listener};

/// Who a node is: `/v1/node`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeReport {
    /// Its name.
    pub name: String,
    /// Which run of the program it is.
    pub instance: String,
    /// The version of the program.
    pub version: String,
    /// For how many seconds it has been there.
    pub uptime: u64,
    /// What time it is there.
    pub time: u64,
    /// What it serves by itself.
    pub serves: Vec<Route>,
    /// Where it listens.
    pub listeners: Vec<ListenerReport>,
}

/// A host and a prefix of its paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// A name, or `*.` and a name.
    pub host: String,
    /// Starts with a `/`.
    pub prefix: String,
}

impl Route {
    /// What stands for `served`.
    pub fn of(served: &Served) -> Self {
        Self { host: served.host.to_string(), prefix: served.prefix.to_string() }
    }

    /// What it stands for, if it does.
    pub fn read(&self) -> Option<Served> {
        Some(Served { host: self.host.parse().ok()?, prefix: self.prefix.parse().ok()? })
    }
}

/// One listener of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerReport {
    /// `http`, `https`, `internal`, or the name that it has in the configuration.
    pub name: String,
    /// An IP address and a port.
    pub address: String,
}

impl ListenerReport {
    /// What stands for a listener at an address.
    pub fn of((listener, address): &(Listener, SocketAddr)) -> Self {
        Self { name: listener.name().to_owned(), address: address.to_string() }
    }
}

/// The nodes that a node knows: `/v1/peers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeersReport {
    /// By name.
    pub peers: Vec<PeerReport>,
}

/// What a node knows of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerReport {
    /// Its name.
    pub name: String,
    /// Where it is, in the order in which this is tried.
    pub addresses: Vec<String>,
    /// `static`, from the settings; or `registry`.
    pub source: String,
    /// `alive`, `dead`; or `unknown`, before the first answer.
    pub state: String,
    /// How long its last answer took, in microseconds.
    pub rtt: Option<u64>,
    /// How often it has failed to answer since it did last.
    pub failures: u32,
    /// When it answered last.
    pub last_seen: Option<u64>,
    /// By how many seconds its clock is ahead, if it has said what time it is; negative when it is behind.
    pub clock_ahead: Option<i64>,
    /// What it serves by itself, if it has said so.
    pub serves: Option<Vec<Route>>,
}

/// Whether a node has a registry: `/v1/registry`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistryReport {
    /// The servers, without a password; none where no registry was set.
    pub servers: Option<String>,
    /// Whether it is there.
    pub connected: bool,
    /// Since when it is there, or away.
    pub since: Option<u64>,
    /// Why it is away.
    pub error: Option<String>,
    /// How many entries were not believed, each as often as it was put.
    pub unbelieved: u64,
}

/// What a node has done since its start: `/v1/counters`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountersReport {
    /// Connections accepted.
    pub connections: u64,
    /// Requests that named a served host.
    pub requests: u64,
    /// Connections that ended in silence, by reason.
    pub silent: BTreeMap<String, u64>,
}

/// Whether a node serves: `/v1/health`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthReport {
    /// False when it is about to stop.
    pub serving: bool,
}
