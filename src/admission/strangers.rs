//! Strangers: connections that have not named a served host. Some are closed early, so that they do not keep others out.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering},
    },
    task::{Context, Waker},
    time::Duration,
};

use pmesh_layers::conn::Control;
use tokio::time::Instant;

/// How long a stranger has before it can be closed, with free slots and without. Both are long enough for its first
/// flight, which arrives right after it has connected.
const PATIENCE: Duration = Duration::from_secs(1);
const PATIENCE_WHEN_FULL: Duration = Duration::from_millis(100);

/// The strangers of all workers. The cost is per connection, not per request.
#[derive(Debug)]
pub struct Strangers {
    count: AtomicUsize,
    /// One per worker, so that no worker waits for another.
    queues: Box<[Mutex<Queue>]>,
}

#[derive(Debug, Default)]
struct Queue {
    /// In the order in which they connected.
    waiting: VecDeque<Weak<Stranger>>,
    /// The stranger that must stop waiting, whose last input is still being read.
    ending: Option<Weak<Stranger>>,
    /// At this length, connections that are closed or have named a host are removed. This keeps the cost per connection
    /// constant.
    sweep_at: usize,
}

impl Strangers {
    /// Creates the queues for this number of workers.
    pub fn new(workers: usize) -> Self {
        Self { count: AtomicUsize::new(0), queues: (0..workers.max(1)).map(|_| Mutex::default()).collect() }
    }

    /// Counts a connection of `worker` as a stranger until the gate of `control` opens.
    pub fn add(self: &Arc<Self>, worker: usize, control: Control) -> Unnamed {
        self.count.fetch_add(1, Ordering::Relaxed);
        let stranger = Arc::new(Stranger {
            strangers: Arc::clone(self),
            control,
            since: Instant::now(),
            order: AtomicU8::new(NOTHING),
            ended: AtomicBool::new(false),
            task: Mutex::new(None),
        });
        let mut queue = lock(&self.queues[worker % self.queues.len()]);
        if queue.waiting.len() >= queue.sweep_at {
            queue.waiting.retain(is_stranger);
            queue.sweep_at = 2 * queue.waiting.len() + 64;
        }
        queue.waiting.push_back(Arc::downgrade(&stranger));
        drop(queue);
        Unnamed(stranger)
    }

    /// The number of strangers, including those that are being turned away.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Closes the oldest stranger of `worker` or, if no slots are left (`full`), of any worker and at once.
    ///
    /// Returns `None` if no stranger has been connected for long enough.
    pub fn crowd_out(&self, worker: usize, full: bool) -> Option<()> {
        let own = worker % self.queues.len();
        let crowded_out = lock(&self.queues[own]).crowd_out(full);
        if crowded_out.is_some() || !full {
            return crowded_out;
        }
        self.queues
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != own)
            .find_map(|(_, queue)| lock(queue).crowd_out(full))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_stranger(stranger: &Weak<Stranger>) -> bool {
    stranger.upgrade().is_some_and(|stranger| !stranger.is_named())
}

impl Queue {
    fn crowd_out(&mut self, full: bool) -> Option<()> {
        let left = self.ending.take().and_then(|stranger| stranger.upgrade());
        if let Some(stranger) = &left {
            stranger.set_order(LEAVE);
        }
        let patience = if full { PATIENCE_WHEN_FULL } else { PATIENCE };
        while let Some(front) = self.waiting.front() {
            match front.upgrade().filter(|stranger| !stranger.is_named()) {
                None => drop(self.waiting.pop_front()),
                Some(stranger) if stranger.since.elapsed() < patience => break,
                Some(_) if full && left.is_some() => break,
                Some(stranger) => {
                    let entry = self.waiting.pop_front();
                    if full || stranger.ended.load(Ordering::Relaxed) {
                        stranger.set_order(LEAVE);
                    } else {
                        stranger.set_order(END);
                        self.ending = entry;
                    }
                    return Some(());
                }
            }
        }
        left.map(drop)
    }
}

/// A stranger can wait for input.
const NOTHING: u8 = 0;
/// It must not wait for more input. After its FIN, it can still linger.
const END: u8 = 1;
/// It must not linger either.
const LEAVE: u8 = 2;

/// A connection that has not named a served host.
#[derive(Debug)]
pub struct Stranger {
    strangers: Arc<Strangers>,
    control: Control,
    since: Instant,
    /// The last order: [`NOTHING`], [`END`] or [`LEAVE`].
    order: AtomicU8,
    /// Whether the FIN has been sent.
    ended: AtomicBool,
    /// Locked only when a stranger waits for input, which happens once or twice.
    task: Mutex<Option<Waker>>,
}

/// How a stranger may still read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// It is no longer a stranger: its gate is open.
    Named,
    /// Wait for input.
    Wait,
    /// Read only the input that has already arrived.
    ReadArrived,
    /// Stop reading.
    Leave,
}

impl Stranger {
    /// Whether its gate is open.
    pub fn is_named(&self) -> bool {
        self.control.is_open()
    }

    /// Whether it was closed to make room.
    pub fn was_crowded_out(&self) -> bool {
        self.control.was_crowded_out()
    }

    /// How it may still read. Its task is woken when that changes.
    pub fn patience(&self, cx: &Context<'_>) -> Patience {
        if self.is_named() {
            return Patience::Named;
        }
        let mut task = lock(&self.task);
        if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            *task = Some(cx.waker().clone());
        }
        drop(task);
        match (self.order.load(Ordering::Acquire), self.ended.load(Ordering::Relaxed)) {
            (NOTHING, _) | (END, true) => Patience::Wait,
            (_, true) => Patience::Leave,
            (_, false) => Patience::ReadArrived,
        }
    }

    fn set_order(&self, order: u8) {
        self.control.mark_crowded_out();
        self.order.store(order, Ordering::Release);
        let task = lock(&self.task).take();
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// Counts a connection as a stranger until dropped.
#[derive(Debug)]
pub struct Unnamed(Arc<Stranger>);

impl Unnamed {
    /// The stranger, which stops counting when `self` is dropped.
    pub fn stranger(&self) -> &Arc<Stranger> {
        &self.0
    }

    /// Notes that the FIN is being sent: if the connection has not named a host by now, it is turned away.
    pub fn end(&self) {
        if !self.0.is_named() {
            self.0.ended.store(true, Ordering::Relaxed);
            // So that shutdown does not wait for it.
            self.0.control.silence();
        }
    }
}

impl Drop for Unnamed {
    fn drop(&mut self) {
        self.0.strangers.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order_of(unnamed: &Unnamed) -> u8 {
        unnamed.0.order.load(Ordering::Relaxed)
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_is_closed_first_but_not_too_early() {
        let strangers = Arc::new(Strangers::new(1));
        let all: Vec<_> = (0..3).map(|_| strangers.add(0, Control::closed())).collect();
        for full in [false, true] {
            assert_eq!(strangers.crowd_out(0, full), None);
        }
        tokio::time::advance(PATIENCE).await;
        let newest = strangers.add(0, Control::closed());
        strangers.crowd_out(0, false).unwrap();
        assert_eq!(all.iter().map(order_of).collect::<Vec<_>>(), [END, NOTHING, NOTHING]);
        strangers.crowd_out(0, false).unwrap();
        assert_eq!(all.iter().map(order_of).collect::<Vec<_>>(), [LEAVE, END, NOTHING]);
        // Without free slots: one at a time, and at once.
        for expected in [[LEAVE, LEAVE, NOTHING], [LEAVE, LEAVE, LEAVE]] {
            strangers.crowd_out(0, true).unwrap();
            assert_eq!(all.iter().map(order_of).collect::<Vec<_>>(), expected);
        }
        assert_eq!((strangers.crowd_out(0, true), order_of(&newest)), (None, NOTHING));
    }

    #[tokio::test(start_paused = true)]
    async fn connections_that_named_a_host_stay() {
        let strangers = Arc::new(Strangers::new(1));
        let (named, closed) = (Control::closed(), Control::closed());
        let _served = strangers.add(0, named.clone());
        let stranger = strangers.add(0, closed);
        named.open_gate();
        tokio::time::advance(PATIENCE).await;
        strangers.crowd_out(0, true).unwrap();
        assert!(stranger.stranger().was_crowded_out());
        assert_eq!(strangers.crowd_out(0, true), None);
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_of_other_workers_are_closed_only_without_free_slots() {
        let strangers = Arc::new(Strangers::new(3));
        let stranger = strangers.add(2, Control::closed());
        tokio::time::advance(PATIENCE).await;
        assert_eq!(strangers.crowd_out(0, false), None);
        strangers.crowd_out(0, true).unwrap();
        assert_eq!(order_of(&stranger), LEAVE);
    }

    #[tokio::test]
    async fn closed_and_named_connections_are_forgotten() {
        let strangers = Arc::new(Strangers::new(1));
        for _ in 0..1000 {
            strangers.add(0, Control::closed());
            let _named = strangers.add(0, Control::open());
        }
        assert_eq!(strangers.count(), 0);
        assert!(lock(&strangers.queues[0]).waiting.len() < 100);
    }
}
