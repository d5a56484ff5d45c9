//! The nodes that are known at one moment, and what each of them serves.

use std::{
    collections::{BTreeMap, btree_map},
    sync::Arc,
};

use pmesh_layers::{
    host::{HostName, HostPattern},
    identity::NodeName,
    route::{NoRoute, PathPrefix, RouteTable},
};

use super::{Announcement, Peer, Served};
use crate::settings::endpoint::HostPort;

/// The nodes that were known at one moment.
#[derive(Debug, Default)]
pub struct Table {
    entries: BTreeMap<NodeName, Entry>,
    serving: RouteTable<Vec<Arc<Peer>>>,
}

#[derive(Debug)]
struct Entry {
    peer: Arc<Peer>,
    statement: Option<Statement>,
}

/// A node's own statement of what it serves.
#[derive(Debug)]
enum Statement {
    Announced(Arc<Announcement>),
    Reported(Arc<[Served]>),
}

impl Statement {
    fn serves(&self) -> &[Served] {
        match self {
            Self::Announced(announcement) => &announcement.serves,
            Self::Reported(serves) => serves,
        }
    }
}

impl Table {
    pub(super) fn new(known: &Known, before: &Self) -> Self {
        let mut entries = BTreeMap::new();
        let names = known.fixed.keys().chain(known.announced.keys());
        for name in names {
            if let btree_map::Entry::Vacant(free) = entries.entry(name.clone()) {
                let announced = known.announced.get(name);
                let fixed = known.fixed.get(name);
                let fresh =
                    Peer::new(name, fixed, announced.map(|announced| &**announced), known.workers, known.reconnects);
                let peer = match before.get(name.as_str()).filter(|peer| peer.is_same(&fresh)) {
                    Some(same) => same.next(fresh),
                    None => Arc::new(fresh),
                };
                let reported = || known.reported.get(name).map(|reported| Statement::Reported(Arc::clone(reported)));
                let statement =
                    announced.map(|announced| Statement::Announced(Arc::clone(announced))).or_else(reported);
                free.insert(Entry { peer, statement });
            }
        }
        let serving = serving(&entries);
        Self { entries, serving }
    }

    /// The node with this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Peer>> {
        self.entries.get(name).map(|entry| &entry.peer)
    }

    /// All nodes, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Peer>> {
        self.entries.values().map(|entry| &entry.peer)
    }

    /// The routes that a node has announced or reported; `None` if it has done neither.
    pub fn serves(&self, name: &str) -> Option<&[Served]> {
        self.entries.get(name)?.statement.as_ref().map(Statement::serves)
    }

    /// The nodes with the most specific route for a host and a path, sorted by name. Dead nodes are included, because
    /// requests never fall back to a less specific route of another node. With `literal`, ambiguous paths are accepted.
    ///
    /// # Errors
    ///
    /// [`NoRoute::Ambiguous`] if backends could read the path as one that other nodes serve.
    pub fn serving(&self, host: &HostName, path: &str, literal: bool) -> Result<&[Arc<Peer>], NoRoute> {
        let found = if literal {
            self.serving.find_literal(host.as_str(), path).ok_or(NoRoute::NotFound)
        } else {
            self.serving.find(host.as_str(), path)
        };
        match found {
            Ok(peers) => Ok(peers),
            Err(NoRoute::Ambiguous) => Err(NoRoute::Ambiguous),
            Err(_) => Ok(&[]),
        }
    }
}

fn serving(entries: &BTreeMap<NodeName, Entry>) -> RouteTable<Vec<Arc<Peer>>> {
    let mut by_route: BTreeMap<(&HostPattern, &PathPrefix), Vec<Arc<Peer>>> = BTreeMap::new();
    for Entry { peer, statement } in entries.values() {
        for Served { host, prefix } in statement.iter().flat_map(Statement::serves) {
            let peers = by_route.entry((host, prefix)).or_default();
            // A node could name a route twice.
            if !peers.last().is_some_and(|last| Arc::ptr_eq(last, peer)) {
                peers.push(Arc::clone(peer));
            }
        }
    }
    let mut table = RouteTable::new();
    for ((host, prefix), peers) in by_route {
        // Each pair occurs once.
        let _ = table.insert(host.clone(), prefix.clone(), peers);
    }
    table
}

/// The sources of a table.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) fixed: BTreeMap<NodeName, HostPort>,
    pub(super) announced: BTreeMap<NodeName, Arc<Announcement>>,
    /// The routes that nodes of the settings reported when probed. Ignored for nodes that have announced something.
    pub(super) reported: BTreeMap<NodeName, Arc<[Served]>>,
    /// The number of workers that keep connections.
    pub(super) workers: usize,
    /// How many times all connections were replaced.
    pub(super) reconnects: u32,
}
