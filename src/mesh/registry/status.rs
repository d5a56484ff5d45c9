//! Whether the registry is there, for others to see.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use arc_swap::ArcSwap;

use crate::settings::RegistryServers;

/// What can be seen of a [`Registry`](super::Registry); before it is started, that it is away. Clones see the same.
#[derive(Debug, Clone, Default)]
pub struct RegistryView {
    pub(super) status: Arc<ArcSwap<RegistryStatus>>,
    pub(super) unbelieved: Arc<AtomicU64>,
}

impl RegistryView {
    /// Whether it is there.
    pub fn status(&self) -> Arc<RegistryStatus> {
        self.status.load_full()
    }

    /// How many entries were not believed so far; each is counted as often as it is renewed.
    pub fn unbelieved(&self) -> u64 {
        self.unbelieved.load(Ordering::Relaxed)
    }
}

/// Whether the registry is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryStatus {
    /// It is.
    Connected {
        /// Since when.
        since: SystemTime,
    },
    /// It is not; it is asked again and again.
    Away {
        /// Since when.
        since: SystemTime,
        /// What was wrong the last time; `None` before the first answer.
        error: Option<String>,
    },
}

impl Default for RegistryStatus {
    fn default() -> Self {
        Self::Away { since: SystemTime::now(), error: None }
    }
}

impl RegistryStatus {
    /// Whether it is there.
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }
}

/// Keeps the status, and logs a line when it changes and none else.
#[derive(Debug)]
pub(super) struct Standing(Arc<ArcSwap<RegistryStatus>>);

impl Standing {
    pub(super) fn new(status: Arc<ArcSwap<RegistryStatus>>) -> Self {
        Self(status)
    }

    pub(super) fn connected(&self, servers: &RegistryServers) {
        self.0.store(Arc::new(RegistryStatus::Connected { since: SystemTime::now() }));
        tracing::info!(%servers, "the registry of nodes is there");
    }

    pub(super) fn away(&self, error: &str, servers: &RegistryServers, known: usize) {
        let (since, is_news) = match &**self.0.load() {
            RegistryStatus::Connected { .. } => (SystemTime::now(), true),
            RegistryStatus::Away { since, error } => (*since, error.is_none()),
        };
        self.0.store(Arc::new(RegistryStatus::Away { since, error: Some(error.to_owned()) }));
        if is_news {
            tracing::warn!(
                %servers, known, error,
                "the registry of nodes is away; what is known of them stays, and it is tried again until it is back"
            );
        } else {
            tracing::debug!(error, "the registry of nodes is still away");
        }
    }
}
