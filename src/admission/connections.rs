//! The open connections of a worker.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use pmesh_layers::conn::{Control, WeakControl};

/// How many idle connections to compare for the longest idle time, and how many connections to look at until so many
/// idle ones are found.
const MAX_COMPARED: usize = 32;
const MAX_VISITED: usize = 1024;

/// The connections that have requests in flight, or could have: with TLS, those whose handshake is done. A tunnel
/// counts as its connection.
#[derive(Debug, Default)]
pub struct Connections(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: Vec<WeakControl>,
    /// At this length, closed connections are removed from the list. This keeps the cost per connection constant.
    sweep_at: usize,
    /// Where the next search begins.
    next: usize,
    draining: bool,
}

impl Connections {
    /// Records a connection until it is closed. If the worker is draining, the connection is drained at once.
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

    /// Returns a connection that has been idle for at least `least`, and for how long. It compares only a few, different
    /// ones each time, and picks the one idle longest. So the cost does not grow with the number of connections.
    pub fn longest_idle(&self, least: Duration) -> Option<(Duration, Control)> {
        let mut state = self.lock();
        let (mut longest, mut compared): (Option<(Duration, Control)>, _) = (None, 0);
        for _ in 0..MAX_VISITED.min(state.open.len()) {
            let next = if state.next < state.open.len() { state.next } else { 0 };
            let Some(entry) = state.open.get(next) else { break };
            let Some(control) = entry.upgrade() else {
                state.open.swap_remove(next);
                continue;
            };
            state.next = next + 1;
            // Busy connections do not count as compared, so they cannot hide an idle one.
            let Some(waited) = control.idle_for().filter(|waited| *waited >= least) else { continue };
            if longest.as_ref().is_none_or(|(longest, _)| waited > *longest) {
                longest = Some((waited, control));
            }
            compared += 1;
            if compared == MAX_COMPARED {
                break;
            }
        }
        longest
    }

    /// Drains all connections, including later ones.
    pub fn drain(&self) {
        let mut state = self.lock();
        state.draining = true;
        for control in state.open.iter().filter_map(WeakControl::upgrade) {
            control.drain();
        }
    }

    /// The number of open connections. Connections that are being closed in silence do not count, because nothing waits
    /// for them.
    pub fn len(&self) -> usize {
        self.lock().open.iter().filter(|control| is_open(control)).count()
    }

    /// Whether no connection is open. Removes closed ones, so that repeated calls do not look at them again.
    pub fn is_empty(&self) -> bool {
        let mut state = self.lock();
        while state.open.pop_if(|control| !is_open(control)).is_some() {}
        state.open.is_empty()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_open(control: &WeakControl) -> bool {
    control.upgrade().is_some_and(|control| !control.is_silenced())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_connections_are_forgotten() {
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
    fn closed_connections_are_looked_at_once() {
        let connections = Connections::default();
        let last = Control::open();
        connections.add(&last);
        (0..50).for_each(|_| connections.add(&Control::open()));
        assert!(!connections.is_empty());
        assert_eq!(connections.lock().open.len(), 1);
        drop(last);
        assert!(connections.is_empty());
    }

    #[test]
    fn connections_closed_in_silence_do_not_count() {
        let connections = Connections::default();
        let (served, silenced) = (Control::open(), Control::closed());
        connections.add(&served);
        connections.add(&silenced);
        silenced.silence();
        assert_eq!(connections.len(), 1);
    }

    /// Adds this many connections, a second apart.
    async fn in_a_row(connections: &Connections, count: usize) -> Vec<Control> {
        let mut controls = Vec::new();
        for _ in 0..count {
            let control = Control::open();
            connections.add(&control);
            controls.push(control);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        controls
    }

    fn drain_waiting(connections: &Connections, least: u64) -> Option<Duration> {
        let (waited, control) = connections.longest_idle(Duration::from_secs(least))?;
        control.drain();
        Some(waited)
    }

    #[tokio::test(start_paused = true)]
    async fn the_connection_idle_longest_is_found_among_a_few() {
        let connections = Connections::default();
        let _controls = in_a_row(&connections, 3).await;
        for expected in [Some(3), Some(2), None] {
            assert_eq!(drain_waiting(&connections, 2), expected.map(Duration::from_secs));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_and_closed_connections_are_not_idle() {
        let connections = Connections::default();
        let (stranger, silenced) = (Control::closed(), Control::open());
        silenced.silence();
        for control in [&stranger, &silenced, &Control::open()] {
            connections.add(control);
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(drain_waiting(&connections, 0), None);
        assert_eq!(drain_waiting(&Connections::default(), 0), None);
    }

    #[tokio::test(start_paused = true)]
    async fn every_connection_gets_its_turn() {
        let connections = Connections::default();
        let mut controls = in_a_row(&connections, 3 * MAX_COMPARED).await;
        let first_third =
            |controls: &[Control]| controls[..MAX_COMPARED].iter().filter(|one| one.is_draining()).count();
        for expected in 0..3 {
            assert_eq!(first_third(&controls), expected.min(1));
            assert!(drain_waiting(&connections, 0).is_some());
        }
        while drain_waiting(&connections, 0).is_some() {}
        assert!(controls.iter().all(Control::is_draining));
        controls.clear();
        assert!(drain_waiting(&connections, 0).is_none());
        assert!(connections.lock().open.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn busy_connections_do_not_hide_an_idle_one() {
        let connections = Connections::default();
        let strangers: Vec<_> = (0..10 * MAX_COMPARED).map(|_| Control::closed()).collect();
        for busy in &strangers {
            connections.add(busy);
        }
        let _waiting = in_a_row(&connections, 1).await;
        assert!(drain_waiting(&connections, 0).is_some());
    }

    #[test]
    fn draining_includes_later_connections() {
        let connections = Connections::default();
        let (before, after) = (Control::open(), Control::open());
        connections.add(&before);
        connections.drain();
        connections.add(&after);
        assert!(before.is_draining() && after.is_draining());
    }
}
