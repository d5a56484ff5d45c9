use std::{
    collections::VecDeque,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
};

use pin_project_lite::pin_project;
use tokio::task::yield_now;

use super::drive::Connection;
use crate::conn::Control;

/// Polls of streams before others have their turn.
const STREAMS_A_TURN: u32 = 8;

/// The turns of a connection of HTTP/2, which its task and those of its streams share: whoever has a hundred requests in
/// flight gets as much of the runtime as whoever has one.
///
/// A turn begins when the connection's task is polled. The runtime polls tasks in the order in which they were woken, so
/// that others come between two turns.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<State>);

#[derive(Debug)]
struct State {
    control: Control,
    /// Which turn it is. Wraps.
    number: AtomicU32,
    /// Polls of streams that are left in it. As long as there are some, nobody waits: it grows from none, and streams
    /// queue up, under the lock alone.
    left: AtomicU32,
    queue: Mutex<Queue>,
    /// Whether the next turn comes soon, whatever happens.
    soon: AtomicBool,
    /// Whether streams wait until more was read.
    postponed: AtomicBool,
}

#[derive(Debug)]
struct Queue {
    waiting: VecDeque<Waker>,
    /// So many have left the queue.
    admitted: u64,
    closed: bool,
}

/// A stream's place in the queue.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ticket(Option<u64>);

/// Whether a stream may be polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Now,
    /// It will be woken.
    Later,
    /// At any time: its connection has ended.
    Closed,
}

impl Turns {
    pub(super) fn new(control: Control) -> Self {
        let queue = Queue { waiting: VecDeque::new(), admitted: 0, closed: false };
        Self(Arc::new(State {
            control,
            number: AtomicU32::new(0),
            left: AtomicU32::new(STREAMS_A_TURN),
            queue: Mutex::new(queue),
            soon: AtomicBool::new(false),
            postponed: AtomicBool::new(false),
        }))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin(&self) {
        self.0.number.fetch_add(1, Ordering::Relaxed);
        self.0.postponed.store(false, Ordering::Relaxed);
        // Some may wait, and what they do will need another turn.
        self.0.soon.store(self.0.left.load(Ordering::Relaxed) == 0, Ordering::Relaxed);
    }

    fn end(&self, cx: &mut Context<'_>) {
        if !self.0.postponed.load(Ordering::Relaxed) {
            self.let_go_on();
        }
        if self.is_soon() {
            // Behind those that were let go on, and behind what the runtime has yet to hear of.
            let _ = pin!(yield_now()).poll(cx);
        }
    }

    fn let_go_on(&self) {
        let refill = |left| (left > 0).then_some(STREAMS_A_TURN);
        if self.0.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, refill).is_ok() {
            return;
        }
        let mut queue = self.queue();
        let (mut left, mut admitted) = (STREAMS_A_TURN, 0);
        while left > 0
            && let Some(waker) = queue.waiting.pop_front()
        {
            waker.wake();
            left -= 1;
            admitted += 1;
        }
        queue.admitted += admitted;
        self.0.left.store(left, Ordering::Relaxed);
    }

    /// No stream is polled before the end of the next turn.
    pub(super) fn postpone(&self) {
        self.0.left.store(0, Ordering::Relaxed);
        self.0.postponed.store(true, Ordering::Relaxed);
    }

    /// Lets all go on that wait, and all that come.
    fn close(&self) {
        let mut queue = self.queue();
        queue.closed = true;
        queue.waiting.drain(..).for_each(Waker::wake);
    }

    /// There is another turn soon, whatever happens in this one.
    pub(super) fn set_soon(&self) {
        self.0.soon.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_soon(&self) -> bool {
        self.0.soon.load(Ordering::Relaxed)
    }

    pub(super) fn number(&self) -> u32 {
        self.0.number.load(Ordering::Relaxed)
    }

    /// Whether a stream may be polled, which comes for the first time or has come before with the ticket.
    pub(super) fn admit(&self, ticket: &mut Ticket, cx: &mut Context<'_>) -> Admission {
        let left = &self.0.left;
        if ticket.0.is_none() && take_one(left) {
            return Admission::Now;
        }
        let mut queue = self.queue();
        if queue.closed {
            return Admission::Closed;
        }
        if let Some(place) = ticket.0 {
            if place < queue.admitted {
                ticket.0 = None;
                return Admission::Now;
            }
            return Admission::Later;
        }
        // A turn may have begun meanwhile.
        if take_one(left) {
            return Admission::Now;
        }
        ticket.0 = Some(queue.admitted + queue.waiting.len() as u64);
        queue.waiting.push_back(cx.waker().clone());
        if queue.waiting.len() == 1 {
            drop(queue);
            self.0.control.wake_driver();
        }
        Admission::Later
    }
}

fn take_one(left: &AtomicU32) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

pin_project! {
    /// A connection each of whose polls is a turn.
    pub(super) struct InTurns<C> {
        #[pin]
        inner: C,
        // Behind the connection, whose end they wake up to.
        turns: Closing,
    }
}

impl<C> InTurns<C> {
    pub(super) fn new(inner: C, turns: Turns) -> Self {
        Self { inner, turns: Closing(turns) }
    }
}

impl<C: Future> Future for InTurns<C> {
    type Output = C::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.turns.0.begin();
        let polled = this.inner.poll(cx);
        if polled.is_pending() {
            this.turns.0.end(cx);
        }
        polled
    }
}

impl<C: Connection> Connection for InTurns<C> {
    fn drain(self: Pin<&mut Self>) {
        self.project().inner.drain();
    }
}

struct Closing(Turns);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: usize = STREAMS_A_TURN as usize;

    fn admitted(turns: &Turns, tickets: &mut [Ticket]) -> Vec<Admission> {
        let mut cx = Context::from_waker(Waker::noop());
        tickets.iter_mut().map(|ticket| turns.admit(ticket, &mut cx)).collect()
    }

    fn next(turns: &Turns) {
        turns.begin();
        turns.end(&mut Context::from_waker(Waker::noop()));
    }

    #[test]
    fn streams_go_on_one_after_the_other_and_so_many_in_a_turn() {
        let turns = Turns::new(Control::open());
        let mut tickets = [Ticket::default(); 2 * ALL + 3];
        for first in [0, ALL, 2 * ALL] {
            let end = tickets.len().min(first + ALL);
            let now = admitted(&turns, &mut tickets[first..]);
            assert_eq!(now.iter().filter(|admission| **admission == Admission::Now).count(), end - first, "{now:?}");
            assert!(now[..end - first].iter().all(|admission| *admission == Admission::Now), "{now:?}");
            next(&turns);
            assert_eq!(turns.is_soon(), end - first == ALL);
        }
        next(&turns);
        assert!(!turns.is_soon(), "nobody waits");
    }

    #[test]
    fn whoever_comes_later_waits_behind_the_others() {
        let turns = Turns::new(Control::open());
        let mut tickets = [Ticket::default(); 2 * ALL];
        admitted(&turns, &mut tickets);
        next(&turns);
        assert_eq!(admitted(&turns, &mut [Ticket::default()]), [Admission::Later]);
        assert_eq!(admitted(&turns, &mut tickets[ALL..]), [Admission::Now; ALL]);
    }

    #[test]
    fn streams_that_are_postponed_wait_for_a_turn_more() {
        let turns = Turns::new(Control::open());
        let mut tickets = [Ticket::default()];
        turns.postpone();
        assert_eq!(admitted(&turns, &mut tickets), [Admission::Later]);
        turns.begin();
        turns.postpone();
        turns.end(&mut Context::from_waker(Waker::noop()));
        assert_eq!(admitted(&turns, &mut tickets), [Admission::Later]);
        next(&turns);
        assert_eq!(admitted(&turns, &mut tickets), [Admission::Now]);
    }

    #[test]
    fn nobody_waits_for_a_connection_that_has_ended() {
        let turns = Turns::new(Control::open());
        let mut tickets = [Ticket::default(); 2 * ALL];
        admitted(&turns, &mut tickets);
        turns.close();
        assert_eq!(admitted(&turns, &mut tickets[ALL..]), [Admission::Closed; ALL]);
    }
}
