//! The connections of each worker to one node.

use std::sync::{Arc, OnceLock};

use pmesh_layers::{balance, identity::NodeName, pool::Http2Pool};

use super::Dialer;
use crate::telemetry::outages;

/// The connections of one worker to one node, and its health as observed by requests.
pub type Link = balance::Endpoint<Http2Pool<Dialer>>;

/// The links to one node, with a slot for each worker. Clones share the slots.
#[derive(Debug, Clone)]
pub(super) struct Links {
    pub(super) by_worker: Arc<[OnceLock<Link>]>,
    pub(super) health: balance::Health,
}

impl Links {
    pub(super) fn new(node: &NodeName, workers: usize) -> Self {
        let by_worker = (0..workers).map(|_| OnceLock::new()).collect();
        Self { by_worker, health: outages::logged(format!("mesh://{node}"), |_, _| None) }
    }

    pub(super) fn made(&self) -> impl Iterator<Item = &Link> {
        self.by_worker.iter().filter_map(OnceLock::get)
    }

    pub(super) fn health(&self) -> &balance::Health {
        &self.health
    }

    #[cfg(test)]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.by_worker, &other.by_worker)
    }
}
