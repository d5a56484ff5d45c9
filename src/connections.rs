//! The open connections of a worker.

use std::sync::{Mutex, PoisonError};

use pmesh_layers::conn::{Control, WeakControl};

/// The connections that have something in flight, or may have: with TLS, from the end of the handshake on; a tunnel
/// counts as its connection.
#[derive(Debug, Default)]
pub struct Connections(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: Vec<WeakControl>,
    /// At this length those that have ended are dropped: a constant cost for each connection.
    sweep_at: usize,
    draining: bool,
}

impl Connections {
    /// Takes a connection on record until it has ended. Once the worker drains, it is drained at once.
    pub fn add(&self, control: &Control) {
        let mut state = self.lock();
        if state.draining {
            control.drain();
        }
        if state.open.len() >= state.sweep_at {
            state.open.retain(WeakControl::is_alive);
            state.sweep_at = 2 * state.open.len() + 64;
        }
        state.open.push(control.downgrade());
    }

    /// Drains all of them, and all to come.
    pub fn drain(&self) {
        let mut state = self.lock();
        state.draining = true;
        for control in state.open.iter().filter_map(WeakControl::upgrade) {
            control.drain();
        }
    }

    /// How many are open. Those that end in silence are none: there is nothing to wait for.
    pub fn len(&self) -> usize {
        let open = |control: &WeakControl| control.upgrade().is_some_and(|control| !control.is_silenced());
        self.lock().open.iter().filter(|control| open(control)).count()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ended_connections_are_forgotten() {
        let connections = Connections::default();
        let kept = Control::closed();
        connections.add(&kept);
        for _ in 0..1000 {
            connections.add(&Control::closed());
        }
        assert_eq!(connections.len(), 1);
        assert!(connections.lock().open.len() < 100);
        drop(kept);
        assert!(connections.is_empty());
    }

    #[test]
    fn nobody_waits_for_those_that_end_in_silence() {
        let connections = Connections::default();
        let (served, silenced) = (Control::open(), Control::closed());
        connections.add(&served);
        connections.add(&silenced);
        silenced.silence();
        assert_eq!(connections.len(), 1);
    }

    #[test]
    fn draining_reaches_those_to_come() {
        let connections = Connections::default();
        let (before, after) = (Control::open(), Control::open());
        connections.add(&before);
        connections.drain();
        connections.add(&after);
        assert!(before.is_draining() && after.is_draining());
    }
}
