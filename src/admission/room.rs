//! Makes room for a new connection by closing another one, but never one from another node.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use pmesh_layers::conn::WeakControl;
use tokio::{
    task::yield_now,
    time::{Instant, sleep},
};

use crate::{
    admission::{connections::Connections, strangers::Strangers},
    telemetry::counters::Counter,
};

/// A connection is idle once it has waited this long for its next request.
const IDLE: Duration = Duration::from_millis(100);
/// Idle connections are closed only while strangers hold less than one slot in this many. Otherwise a flood of silent
/// strangers would close all of them, because no stranger is closed before its time.
const STRANGERS_SHARE: usize = 8;

/// The connections of all workers that can be closed. The cost is per connection, not per request.
#[derive(Debug)]
pub struct Room {
    strangers: Arc<Strangers>,
    /// Strangers on the internal port, which has slots of its own.
    strangers_among_nodes: Arc<Strangers>,
    /// One per worker, so that no worker waits for another.
    connections: Box<[Connections]>,
    nodes: Box<[Connections]>,
    /// The next worker to look at, in addition to the one that needs room.
    turn: AtomicUsize,
    idle_ended: Counter,
}

impl Room {
    /// Creates the record for this number of workers.
    pub fn new(workers: usize) -> Self {
        let of_each = || (0..workers.max(1)).map(|_| Connections::default()).collect();
        Self {
            strangers: Arc::new(Strangers::new(workers)),
            strangers_among_nodes: Arc::new(Strangers::new(workers)),
            connections: of_each(),
            nodes: of_each(),
            turn: AtomicUsize::new(0),
            idle_ended: Counter::default(),
        }
    }

    /// The connections that have not named a served host.
    pub fn strangers(&self) -> &Arc<Strangers> {
        &self.strangers
    }

    /// The connections on the internal port that have not proved that they come from a node.
    pub fn strangers_among_nodes(&self) -> &Arc<Strangers> {
        &self.strangers_among_nodes
    }

    /// The client connections of a worker that may have requests in flight.
    pub fn connections(&self, worker: usize) -> &Connections {
        &self.connections[worker % self.connections.len()]
    }

    /// The connections of other nodes to a worker.
    pub fn nodes(&self, worker: usize) -> &Connections {
        &self.nodes[worker % self.nodes.len()]
    }

    /// How many idle connections were closed.
    pub fn idle_ended(&self) -> u64 {
        self.idle_ended.value()
    }

    /// Closes a stranger on the internal port to free a slot for a connection of `worker`.
    ///
    /// Returns `None` if no stranger has been connected for long enough.
    pub fn close_one_for_node(&self, worker: usize) -> Option<Closing> {
        self.strangers_among_nodes.crowd_out(worker, true).map(|()| Closing(None))
    }

    /// Closes a connection to make room for one of `worker` while `taken` slots are taken: a stranger that has been
    /// connected for long enough or, as long as there are few strangers, an idle connection.
    ///
    /// Returns `None` if there is none to close.
    pub fn close_one(&self, worker: usize, taken: usize) -> Option<Closing> {
        if self.strangers.crowd_out(worker, true).is_some() {
            return Some(Closing(None));
        }
        if self.strangers.count() * STRANGERS_SHARE >= taken {
            return None;
        }
        let own = worker % self.connections.len();
        let waiting = |index: usize| self.connections[index].longest_idle(IDLE);
        // Looking at one other worker, a different one each time, is enough: every worker's idle connections are reached
        // soon.
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut others = (0..self.connections.len())
            .map(|index| turn.wrapping_add(index) % self.connections.len())
            .filter(|index| *index != own);
        let (here, there) = (waiting(own), others.next().and_then(waiting));
        let longest = here.into_iter().chain(there).max_by_key(|(waited, _)| *waited);
        let (_, control) = longest.or_else(|| others.find_map(waiting))?;
        let closing = Closing(Some(control.downgrade()));
        control.drain();
        self.idle_ended.add();
        Some(closing)
    }
}

/// A connection that is being closed.
#[derive(Debug)]
pub struct Closing(Option<WeakControl>);

impl Closing {
    /// Waits until it is closed, up to `limit`. That takes a moment: an HTTP/2 connection may send something first, and
    /// another worker has to be woken. Without waiting, the caller would close one connection after another meanwhile.
    pub async fn closed(self, limit: Duration) {
        let until = Instant::now() + limit;
        yield_now().await;
        while self.0.as_ref().is_some_and(WeakControl::is_alive) && Instant::now() < until {
            sleep(Duration::from_millis(1)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use pmesh_layers::conn::Control;

    use super::*;

    /// An idle connection for each of the workers, in this order.
    async fn idle(room: &Room, workers: &[usize]) -> Vec<Control> {
        let mut controls = Vec::new();
        for worker in workers {
            let control = Control::open();
            room.connections(*worker).add(&control);
            controls.push(control);
            tokio::time::advance(IDLE).await;
        }
        controls
    }

    fn ended(controls: &[Control]) -> Vec<bool> {
        controls.iter().map(Control::is_draining).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_connection_idle_longest_is_closed_first_on_any_worker() {
        let room = Room::new(2);
        let controls = idle(&room, &[0, 1, 0]).await;
        for expected in [[true, false, false], [true, true, false], [true, true, true]] {
            assert!(room.close_one(0, 3).is_some());
            assert_eq!(ended(&controls), expected);
        }
        assert!(room.close_one(0, 3).is_none());
        assert_eq!(room.idle_ended(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_only_idle_connection_is_found_on_any_worker() {
        for owner in 0..5 {
            let room = Room::new(5);
            let controls = idle(&room, &[owner]).await;
            assert!(room.close_one(2, 1).is_some());
            assert_eq!(ended(&controls), [true]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_are_closed_first_and_spare_idle_connections() {
        let room = Room::new(1);
        let controls = idle(&room, &[0, 0]).await;
        let stranger = room.strangers().add(0, Control::closed());
        // The stranger is too young, and strangers hold their full share.
        assert!(room.close_one(0, STRANGERS_SHARE).is_none());
        tokio::time::advance(IDLE).await;
        assert!(room.close_one(0, STRANGERS_SHARE).is_some());
        assert!(stranger.stranger().was_crowded_out());
        assert_eq!(ended(&controls), [false, false]);
        // With more slots, it is less than the share.
        assert!(room.close_one(0, STRANGERS_SHARE + 1).is_some());
        assert_eq!(ended(&controls), [true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_the_close_has_a_limit() {
        let room = Room::new(1);
        let mut controls = idle(&room, &[0, 0]).await;
        for kept in [true, false] {
            let closing = room.close_one(0, 2).unwrap();
            if !kept {
                controls.clear();
            }
            let start = Instant::now();
            closing.closed(IDLE).await;
            assert_eq!(start.elapsed() >= IDLE, kept);
        }
    }
}
