//! Makes room for a new connection: chooses an open one to close, but never one of another node.

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

/// A connection that has waited for less than this is not idle.
const IDLE: Duration = Duration::from_millis(100);
/// Idle connections are closed only while strangers hold less than one place in this many. So a flood of silent
/// strangers does not close all of them: each stranger has its time before it is closed for the next.
const STRANGERS_SHARE: usize = 8;

/// The connections of all workers that may be closed. Keeping track has a cost per connection, and none per request.
#[derive(Debug)]
pub struct Room {
    strangers: Arc<Strangers>,
    /// On the internal port, which has places of its own.
    strangers_among_nodes: Arc<Strangers>,
    /// Of each worker, so that none waits for another.
    connections: Box<[Connections]>,
    nodes: Box<[Connections]>,
    /// Whose connections are looked at next, besides the worker's own.
    turn: AtomicUsize,
    idle_ended: Counter,
}

impl Room {
    /// For this many workers.
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

    /// The connections that have named no served host.
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

    /// How many were closed while they waited for their next request.
    pub fn idle_ended(&self) -> u64 {
        self.idle_ended.value()
    }

    /// Closes a connection on the internal port to make a place for one of `worker`: a stranger that has had its time.
    ///
    /// `None` if there is none.
    pub fn make_for_node(&self, worker: usize) -> Option<Leaving> {
        self.strangers_among_nodes.crowd_out(worker, true).map(|()| Leaving(None))
    }

    /// Closes a connection to make room for one of `worker`, when `taken` places are taken: a stranger that has had
    /// its time or, as long as strangers are few, an idle connection.
    ///
    /// `None` if none may be closed.
    pub fn make(&self, worker: usize, taken: usize) -> Option<Leaving> {
        if self.strangers.crowd_out(worker, true).is_some() {
            return Some(Leaving(None));
        }
        if self.strangers.count() * STRANGERS_SHARE >= taken {
            return None;
        }
        let own = worker % self.connections.len();
        let waiting = |index: usize| self.connections[index].waiting(IDLE);
        // It is enough to look at one other worker, in turn: no idle connection is spared for long because of its
        // worker.
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let mut others = (0..self.connections.len())
            .map(|index| turn.wrapping_add(index) % self.connections.len())
            .filter(|index| *index != own);
        let (here, there) = (waiting(own), others.next().and_then(waiting));
        let longest = here.into_iter().chain(there).max_by_key(|(waited, _)| *waited);
        let (_, control) = longest.or_else(|| others.find_map(waiting))?;
        let leaving = Leaving(Some(control.downgrade()));
        control.drain();
        self.idle_ended.add();
        Some(leaving)
    }
}

/// A connection that is being closed.
#[derive(Debug)]
pub struct Leaving(Option<WeakControl>);

impl Leaving {
    /// Waits until it is gone, but no longer than `limit`: an idle HTTP/2 connection may answer first, and one of
    /// another worker has to be woken. Without the wait, all of them would be closed in the meantime.
    pub async fn gone(self, limit: Duration) {
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

    /// A connection of each of the workers, which came one after the other.
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
    async fn who_has_idled_longest_goes_first_whoever_serves_it() {
        let room = Room::new(2);
        let controls = idle(&room, &[0, 1, 0]).await;
        for expected in [[true, false, false], [true, true, false], [true, true, true]] {
            assert!(room.make(0, 3).is_some());
            assert_eq!(ended(&controls), expected);
        }
        assert!(room.make(0, 3).is_none());
        assert_eq!(room.idle_ended(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn any_worker_may_have_the_only_one() {
        for owner in 0..5 {
            let room = Room::new(5);
            let controls = idle(&room, &[owner]).await;
            assert!(room.make(2, 1).is_some());
            assert_eq!(ended(&controls), [true]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_go_first_and_do_not_take_all_places() {
        let room = Room::new(1);
        let controls = idle(&room, &[0, 0]).await;
        let stranger = room.strangers().add(0, Control::closed());
        // Has not had its time, and is as many as may be.
        assert!(room.make(0, STRANGERS_SHARE).is_none());
        tokio::time::advance(IDLE).await;
        assert!(room.make(0, STRANGERS_SHARE).is_some());
        assert!(stranger.stranger().was_crowded_out());
        assert_eq!(ended(&controls), [false, false]);
        // It is few where there are more places.
        assert!(room.make(0, STRANGERS_SHARE + 1).is_some());
        assert_eq!(ended(&controls), [true, false]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_its_end_waits_for_so_long_at_the_most() {
        let room = Room::new(1);
        let mut controls = idle(&room, &[0, 0]).await;
        for kept in [true, false] {
            let leaving = room.make(0, 2).unwrap();
            if !kept {
                controls.clear();
            }
            let start = Instant::now();
            leaving.gone(IDLE).await;
            assert_eq!(start.elapsed() >= IDLE, kept);
        }
    }
}
