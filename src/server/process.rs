//! The state that lives as long as the process.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use arc_swap::{ArcSwap, Guard};
use pmesh_layers::node::NodeIdentity;

use super::generation::Generation;
use crate::{
    admission::{Admission, exhaustion::Exhaustion},
    mesh::{Clocks, Peers},
    telemetry::counters::Counters,
};

/// The state that lives as long as the process, while one [`Generation`] follows another. All threads share it.
#[derive(Debug)]
pub struct Process {
    /// Decides which connections are let in.
    pub admission: Arc<Admission>,
    /// Whether descriptors have run out.
    pub exhaustion: Exhaustion,
    /// The identity of this node among others.
    pub identity: NodeIdentity,
    /// The other nodes.
    pub peers: Arc<Peers>,
    /// The nodes whose clocks are wrong.
    pub clocks: Clocks,
    /// The counters of each worker.
    pub counters: Vec<Arc<Counters>>,
    current: ArcSwap<Generation>,
    failed_reload: Mutex<Option<FailedReload>>,
}

/// A reload that failed and changed nothing.
#[derive(Debug, Clone)]
pub struct FailedReload {
    /// Why it failed.
    pub error: String,
    /// When it was tried.
    pub at: SystemTime,
}

impl Process {
    /// Creates the state, with `generation` as the first one.
    pub fn new(
        admission: Arc<Admission>,
        identity: NodeIdentity,
        peers: Arc<Peers>,
        workers: usize,
        generation: Generation,
    ) -> Self {
        Self {
            admission,
            exhaustion: Exhaustion::default(),
            identity,
            peers,
            clocks: Clocks::default(),
            counters: (0..workers).map(|_| Arc::default()).collect(),
            current: ArcSwap::from_pointee(generation),
            failed_reload: Mutex::default(),
        }
    }

    /// The current generation, for a short look. To hold it longer, use [`generation`](Self::generation).
    pub fn current(&self) -> Guard<Arc<Generation>> {
        self.current.load()
    }

    /// The current generation, to be kept.
    pub fn generation(&self) -> Arc<Generation> {
        self.current.load_full()
    }

    /// Replaces the current generation.
    pub(super) fn set_current(&self, generation: Arc<Generation>) {
        self.current.store(generation);
        self.record_reload(None);
    }

    /// Why the last reload failed, if it did.
    pub fn failed_reload(&self) -> Option<FailedReload> {
        self.failed_reload.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn record_reload(&self, failed: Option<FailedReload>) {
        *self.failed_reload.lock().unwrap_or_else(PoisonError::into_inner) = failed;
    }
}
