//! Another node, as this node knows it.

use std::sync::Arc;

use pmesh_layers::{balance, identity::NodeName};

use super::{
    Announcement, Health, Instance,
    link::{Link, Links},
};
use crate::settings::endpoint::HostPort;

/// Another node. All tables share this value for as long as the node's run of the program and its addresses stay the
/// same, unless its connections are [replaced](super::Peers::reconnect).
#[derive(Debug)]
pub struct Peer {
    /// Its name.
    pub name: NodeName,
    /// Its addresses, at least one, in the order in which they are tried. The one from the settings comes first.
    pub addresses: Vec<HostPort>,
    /// The run of its program, if it was announced.
    pub instance: Option<Instance>,
    /// How it is known.
    pub source: Source,
    /// Whether it responds to probes.
    pub health: Arc<Health>,
    /// The connections of each worker to it.
    pub(super) links: Links,
    /// The number of [`reconnect`](super::Peers::reconnect)s before these connections were made.
    reconnects: u32,
}

/// How a node is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From the settings. It can be in the registry as well.
    Static,
    /// Only from the registry.
    Registry,
}

impl Peer {
    /// The connections to it, of each worker that has any.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.made()
    }

    /// Its health, as observed by requests.
    pub fn link_health(&self) -> &balance::Health {
        self.links.health()
    }

    /// Creates a node that this many workers can connect to, after this many `reconnects`.
    pub(super) fn new(
        name: &NodeName,
        fixed: Option<&HostPort>,
        announcement: Option<&Announcement>,
        workers: usize,
        reconnects: u32,
    ) -> Self {
        let mut addresses: Vec<_> = fixed.into_iter().chain(announcement.map(|own| &own.address)).cloned().collect();
        addresses.dedup();
        Self {
            name: name.clone(),
            addresses,
            instance: announcement.map(|own| own.instance),
            source: if fixed.is_some() { Source::Static } else { Source::Registry },
            health: Arc::default(),
            links: Links::new(name, workers),
            reconnects,
        }
    }

    /// Whether this is the same run of the program at the same addresses.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (&self.name, &self.addresses, self.instance) == (&other.name, &other.addresses, other.instance)
    }

    /// Returns this node or its successor: `fresh`, with the health and the connections that can be kept.
    pub(super) fn next(self: &Arc<Self>, fresh: Self) -> Arc<Self> {
        let health = Arc::clone(&self.health);
        match (self.reconnects == fresh.reconnects, self.source == fresh.source) {
            (true, true) => Arc::clone(self),
            (true, false) => Arc::new(Self { health, links: self.links.clone(), ..fresh }),
            (false, _) => Arc::new(Self { health, ..fresh }),
        }
    }
}
