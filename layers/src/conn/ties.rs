//! Connections to endpoints that belong to a single client.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The connections to endpoints that belong to one client connection, because it may have authenticated them.
#[derive(Default)]
pub(crate) struct Ties(Mutex<TiedConnections>);

#[derive(Default)]
struct TiedConnections {
    connections: Vec<Box<dyn Any + Send>>,
    /// The names of their endpoints, the most recent one last.
    endpoints: Vec<Arc<str>>,
}

impl Ties {
    /// Keeps a connection until it is taken or the client connection ends.
    pub(crate) fn put<T: Send + 'static>(&self, connection: T) {
        self.lock().connections.push(Box::new(connection));
    }

    /// Takes a connection of type `T` that `is_right` accepts.
    pub(crate) fn take<T: 'static>(&self, is_right: impl Fn(&T) -> bool) -> Option<T> {
        let connections = &mut self.lock().connections;
        let index = connections.iter().position(|one| one.downcast_ref().is_some_and(&is_right))?;
        connections.swap_remove(index).downcast().ok().map(|connection| *connection)
    }

    /// Notes that a connection to the endpoint with this name exists.
    pub(crate) fn record_endpoint(&self, name: &Arc<str>) {
        let endpoints = &mut self.lock().endpoints;
        endpoints.retain(|other| other != name);
        endpoints.push(Arc::clone(name));
    }

    /// The index of the endpoint that was noted most recently.
    pub(crate) fn endpoint(&self, names: &[Arc<str>]) -> Option<usize> {
        let noted = &self.lock().endpoints;
        noted.iter().rev().find_map(|noted| names.iter().position(|name| name == noted))
    }

    fn lock(&self) -> MutexGuard<'_, TiedConnections> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ties").field("endpoints", &self.lock().endpoints).finish_non_exhaustive()
    }
}
