//! A listener as one worker serves it.

use std::sync::Arc;

use super::state::Worker;
use crate::{http::stack::SharedStack, settings::Listener};

/// A listener as one worker serves it. Connections hold this instead of its parts: one more word would push each
/// connection into a larger allocation.
pub(super) struct WorkerListener<S> {
    pub(super) listener: Listener,
    pub(super) worker: Arc<Worker<S>>,
    pub(super) stack: SharedStack<S>,
}

impl<S: Clone> WorkerListener<S> {
    pub(super) fn new(worker: &Arc<Worker<S>>, listener: Listener) -> Arc<Self> {
        let stack = worker.stacks.for_listener(listener.name());
        Arc::new(Self { listener, worker: Arc::clone(worker), stack })
    }
}
