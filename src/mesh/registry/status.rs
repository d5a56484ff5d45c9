//! The state of the registry, for the reports of this node.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use arc_swap::ArcSwap;

use crate::settings::RegistryServers;

/// A view of the state of a [`Registry`](super::Registry), which is not connected before it has started. Clones share the
/// state.
#[derive(Debug, Clone, Default)]
pub struct RegistryView {
    pub(super) status: Arc<ArcSwap<RegistryStatus>>,
    pub(super) rejected: Arc<AtomicU64>,
}

impl RegistryView {
    /// Its status.
    pub fn status(&self) -> Arc<RegistryStatus> {
        self.status.load_full()
    }

    /// How many entries were ignored so far. A renewed entry counts again.
    pub fn rejected(&self) -> u64 {
        self.rejected.load(Ordering::Relaxed)
    }
}

/// Whether the registry is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegistryStatus {
    /// It is connected.
    Connected {
        /// When the connection was made.
        since: SystemTime,
    },
    /// It is not connected; pmesh keeps retrying.
    Disconnected {
        /// When the connection was lost, or when the program started.
        since: SystemTime,
        /// The last error; `None` before the first attempt has ended.
        error: Option<String>,
    },
}

impl Default for RegistryStatus {
    fn default() -> Self {
        Self::Disconnected { since: SystemTime::now(), error: None }
    }
}

impl RegistryStatus {
    /// Whether it is connected.
    pub fn is_connected(&self) -> bool {
        matches!(self, Self::Connected { .. })
    }
}

/// Keeps the status, and logs only its changes.
#[derive(Debug)]
pub(super) struct StatusLog(Arc<ArcSwap<RegistryStatus>>);

impl StatusLog {
    pub(super) fn new(status: Arc<ArcSwap<RegistryStatus>>) -> Self {
        Self(status)
    }

    pub(super) fn connected(&self, servers: &RegistryServers) {
        self.0.store(Arc::new(RegistryStatus::Connected { since: SystemTime::now() }));
        tracing::info!(%servers, "connected to the node registry");
    }

    pub(super) fn disconnected(&self, error: &str, servers: &RegistryServers, known: usize) {
        let (since, is_change) = match &**self.0.load() {
            RegistryStatus::Connected { .. } => (SystemTime::now(), true),
            RegistryStatus::Disconnected { since, error } => (*since, error.is_none()),
        };
        self.0.store(Arc::new(RegistryStatus::Disconnected { since, error: Some(error.to_owned()) }));
        if is_change {
            tracing::warn!(
                %servers, known, error,
                "the node registry is unavailable; the known nodes stay in use, and connecting is retried"
            );
        } else {
            tracing::debug!(error, "the node registry is still unavailable");
        }
    }
}
