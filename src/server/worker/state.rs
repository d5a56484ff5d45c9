//! The state of a worker.

use std::sync::{Arc, atomic::AtomicUsize};

use pmesh_layers::node::NodeAcceptor;

use super::stacks::Stacks;
use crate::{admission::connections::Connections, server::process::Process, telemetry::counters::Counters};

/// The state of a worker, used on its own thread.
pub(super) struct Worker<S> {
    pub(super) index: usize,
    pub(super) process: Arc<Process>,
    pub(super) counters: Arc<Counters>,
    /// TLS connections in a handshake, which are not in `connections` yet.
    pub(super) handshakes: AtomicUsize,
    pub(super) nodes: NodeAcceptor,
    pub(super) stacks: Arc<Stacks<S>>,
}

impl<S> Worker<S> {
    pub(super) fn new(index: usize, process: Arc<Process>, counters: Arc<Counters>, stacks: Arc<Stacks<S>>) -> Self {
        let nodes = NodeAcceptor::new(process.identity.clone());
        Self { index, process, counters, handshakes: AtomicUsize::new(0), nodes, stacks }
    }

    /// The client connections of this worker.
    pub(super) fn connections(&self) -> &Connections {
        self.process.admission.room().connections(self.index)
    }

    /// The connections of other nodes to this worker.
    pub(super) fn connections_of_nodes(&self) -> &Connections {
        self.process.admission.room().nodes(self.index)
    }
}
