//! Another node, as it is known here.

use std::sync::Arc;

use pmesh_layers::{balance, identity::NodeName};

use super::{
    Announcement, Health, Instance,
    link::{Link, Links},
};
use crate::settings::endpoint::HostPort;

/// Another node. As long as it is the same run of the program at the same addresses, it is the same value in all
/// tables, unless its connections were [replaced](super::Peers::reconnect).
#[derive(Debug)]
pub struct Peer {
    /// Its name.
    pub name: NodeName,
    /// Where it is; at least one, to be tried in this order. What the settings say comes first.
    pub addresses: Vec<HostPort>,
    /// Which run of its program this is, if it has said so.
    pub instance: Option<Instance>,
    /// How it is known.
    pub source: Source,
    /// Whether it answers.
    pub health: Arc<Health>,
    /// The connections to it, of each worker.
    pub(super) links: Links,
    /// After how many [`reconnect`](super::Peers::reconnect)s these connections were made.
    reconnects: u32,
}

/// How a node is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From the settings, whether it is in the registry or not.
    Static,
    /// From the registry alone.
    Registry,
}

impl Peer {
    /// The connections to it, of each worker that has any.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        self.links.made()
    }

    /// What requests to it have found out.
    pub fn link_health(&self) -> &balance::Health {
        self.links.health()
    }

    /// `workers` may connect to it, for the time after so many `reconnects`.
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

    /// This peer as it is from now on: `fresh`, with what lasts.
    pub(super) fn next(self: &Arc<Self>, fresh: Self) -> Arc<Self> {
        let health = Arc::clone(&self.health);
        match (self.reconnects == fresh.reconnects, self.source == fresh.source) {
            (true, true) => Arc::clone(self),
            (true, false) => Arc::new(Self { health, links: self.links.clone(), ..fresh }),
            (false, _) => Arc::new(Self { health, ..fresh }),
        }
    }
}
