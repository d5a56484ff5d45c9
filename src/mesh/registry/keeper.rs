//! Everything that this node knows from the registry, kept from one connection to the next.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use async_nats::jetstream::kv::{Entry, Operation};
use tokio::{sync::watch, time::Instant};
use tower::BoxError;

use super::{RegistryOptions, RegistryView, roster::Roster, roster::Update, status::StatusLog, warnings::Warnings};
use crate::mesh::{Announcement, Instance, Peers};

/// Everything that this node knows from the registry, connected or not.
pub(super) struct Keeper {
    pub(super) options: RegistryOptions,
    pub(super) own: watch::Receiver<Option<Announcement>>,
    pub(super) status_log: StatusLog,
    pub(super) roster: Roster,
    peers: Arc<Peers>,
    warnings: Warnings,
    rejected: Arc<AtomicU64>,
}

impl Keeper {
    pub(super) fn new(options: RegistryOptions, own: watch::Receiver<Option<Announcement>>, peers: Arc<Peers>) -> Self {
        let RegistryView { status, rejected } = options.view.clone();
        let (status_log, roster) = (StatusLog::new(status), Roster::new(options.timing.lifetime));
        Self { options, own, status_log, roster, peers, warnings: Warnings::default(), rejected }
    }

    pub(super) fn disconnected(&self, error: &str) {
        self.status_log.disconnected(error, &self.options.servers, self.roster.len());
    }

    /// The key and the value of this node's entry, as of now.
    pub(super) fn own_entry(&mut self) -> Result<Option<(String, Vec<u8>)>, BoxError> {
        let own = self.own.borrow_and_update();
        let Some(own) = &*own else { return Ok(None) };
        Ok(Some((own.node.to_string(), self.options.seal.seal(own, SystemTime::now())?)))
    }

    pub(super) fn instance(&self) -> Option<Instance> {
        self.own.borrow().as_ref().map(|own| own.instance)
    }

    /// Handles an entry. `is_live` is false if the entry may be older than the connection.
    pub(super) fn handle(&mut self, entry: &Entry, is_live: bool) {
        let key = entry.key.as_str();
        let is_own = key == self.options.node.as_str();
        if entry.operation != Operation::Put {
            if !is_own && self.roster.remove(key, Instant::now()) {
                tracing::info!("node {key} left the registry");
                self.publish();
            }
            return;
        }
        let (announcement, time) = match self.options.seal.open(key, &entry.value) {
            Ok(opened) => opened,
            Err(error) => {
                self.rejected.fetch_add(1, Ordering::Relaxed);
                self.warnings.rejected(key, error);
                return;
            }
        };
        self.warnings.accepted(key);
        if is_own {
            // An entry that is older than the connection may be left over from a previous run that was killed.
            if is_live && self.instance() != Some(announcement.instance) {
                self.warnings.duplicate_name(&announcement, Instant::now());
            }
            return;
        }
        let (node, instance) = (announcement.node.clone(), announcement.instance);
        let is_new = !self.roster.contains(&node);
        let (address, routes) = (announcement.address.clone(), announcement.serves.len());
        let received_at = Instant::now();
        match self.roster.handle(announcement, received_at) {
            Update::Changed => self.publish(),
            Update::Unchanged => {}
            Update::NameTaken(by) => return self.warnings.name_taken(&node, instance, [&address, &by], received_at),
        }
        let now = SystemTime::now();
        if is_live {
            self.warnings.clock(&node, time, now, self.options.clock_window);
        }
        // Logged only after `publish`, so that requests can find the node once this line appears.
        if is_new {
            tracing::info!(%address, routes, "node {key} found in the registry");
        }
        if is_live && let Some(peer) = self.peers.load().get(key) {
            peer.health.record_clock(time, now);
        }
    }

    pub(super) fn expire(&mut self) {
        let gone = self.roster.expire(Instant::now());
        for node in &gone {
            tracing::warn!("node {node} is gone: it did not renew its entry in the registry");
        }
        if !gone.is_empty() {
            self.publish();
        }
    }

    /// Makes the current announcements visible to requests.
    fn publish(&self) {
        self.peers.announce(self.roster.announced());
    }
}
