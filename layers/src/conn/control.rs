use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

/// A hold on one client connection: opens its gate, ends it in silence, or lets it end in good order.
///
/// Clones act on the same connection.
#[derive(Debug, Clone)]
pub struct Control(Arc<State>);

#[derive(Debug)]
struct State {
    gate: AtomicU8,
    /// The gate holds bytes that want to go out once it opens.
    holding: AtomicBool,
    draining: AtomicBool,
    /// A request gets no answer: the connection ends once the other requests have finished.
    refused: AtomicBool,
    /// The last request had a body, which may not have been read to its end.
    had_body: AtomicBool,
    /// Where the body of the last request ends has two readings, or is not known yet.
    open_ended: AtomicBool,
    /// The last response broke off where only the end of the connection can tell its client.
    cut_short: AtomicBool,
    /// Requests whose response has not ended, uploads that have not, and requests that have no response yet, each
    /// counted in a third of it.
    in_flight: AtomicU64,
    /// Streams that have become tunnels; a connection of HTTP/1 is none any more when it has.
    tunnels: AtomicU32,
    /// Requests so far, to tell one from the next. Written by the connection's task alone.
    begun: AtomicU32,
    /// Something was read that no request came of yet.
    head_begun: AtomicBool,
    /// Something was written that the connection has not taken yet, perhaps the end of the last response.
    unsent: AtomicBool,
    /// Pieces that have moved either way, to see whether any has; in the upper half, what they were worth to the
    /// client. Misses some when two threads move some at a time.
    moved: AtomicU64,
    /// Requests that the client gave up before their responses had ended.
    cancelled: AtomicU32,
    /// The client has kept the server busy for nothing.
    flooded: AtomicBool,
    /// It has to go to make room.
    crowded_out: AtomicBool,
    /// When the last of them ended and was sent, in milliseconds after `since`.
    idle_at: AtomicU64,
    since: Instant,
    /// The task that drives the connection.
    driver: AtomicWaker,
}

impl State {
    fn stamp_idle(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.idle_at.store(now, Ordering::Relaxed);
    }
}

/// One request in flight, one upload, and one request that waits for its response.
pub(super) const REQUEST: u64 = 1;
pub(super) const UPLOAD: u64 = 1 << 21;
pub(super) const WAITING: u64 = 1 << 42;

/// What a response is worth when it has ended.
const WORTH_OF_RESPONSE: u32 = 16;

const CLOSED: u8 = 0;
const OPEN: u8 = 1;
const SILENCED: u8 = 2;

impl Control {
    /// Of a connection that has not earned an answer yet.
    pub fn closed() -> Self {
        Self::new(CLOSED)
    }

    /// Of a connection that may be answered at once, as after a served SNI.
    pub fn open() -> Self {
        Self::new(OPEN)
    }

    fn new(gate: u8) -> Self {
        Self(Arc::new(State {
            gate: AtomicU8::new(gate),
            holding: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            had_body: AtomicBool::new(false),
            open_ended: AtomicBool::new(false),
            cut_short: AtomicBool::new(false),
            in_flight: AtomicU64::new(0),
            tunnels: AtomicU32::new(0),
            begun: AtomicU32::new(0),
            head_begun: AtomicBool::new(false),
            unsent: AtomicBool::new(false),
            moved: AtomicU64::new(0),
            cancelled: AtomicU32::new(0),
            flooded: AtomicBool::new(false),
            crowded_out: AtomicBool::new(false),
            idle_at: AtomicU64::new(0),
            since: Instant::now(),
            driver: AtomicWaker::new(),
        }))
    }

    /// Lets what is written reach the client, from now on and what was held back so far.
    pub fn open_gate(&self) {
        let opened = self.0.gate.compare_exchange(CLOSED, OPEN, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if opened && self.0.holding.load(Ordering::Acquire) {
            self.0.driver.wake();
        }
    }

    /// Ends the connection without another byte.
    pub fn silence(&self) {
        self.0.gate.store(SILENCED, Ordering::Release);
        self.0.driver.wake();
    }

    /// Takes no further request, finishes those in flight and ends the connection.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
        self.0.driver.wake();
    }

    /// Drains the connection, leaving one request without an answer.
    pub(super) fn refuse(&self) {
        self.0.refused.store(true, Ordering::Release);
        self.drain();
    }

    /// Whether the connection ends because a request was refused, though others may still be in flight.
    pub(crate) fn is_refused(&self) -> bool {
        self.0.refused.load(Ordering::Acquire)
    }

    /// Whether the client may be answered.
    pub fn is_open(&self) -> bool {
        self.0.gate.load(Ordering::Acquire) == OPEN
    }

    /// Whether the connection is to end without another byte.
    pub fn is_silenced(&self) -> bool {
        self.0.gate.load(Ordering::Acquire) == SILENCED
    }

    /// Whether the connection is to take no further request.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    /// A hold that does not keep the connection's record alive: it is gone when the last request or tunnel is.
    pub fn downgrade(&self) -> WeakControl {
        WeakControl(Arc::downgrade(&self.0))
    }

    /// Notes that the connection has to make room for others, unless it names a served host with what it has sent so far.
    /// This alone does not end it.
    pub fn note_crowded_out(&self) {
        self.0.crowded_out.store(true, Ordering::Release);
    }

    /// Whether the connection had to make room for others, and was not named in time.
    pub fn was_crowded_out(&self) -> bool {
        self.0.crowded_out.load(Ordering::Acquire) && !self.is_open()
    }

    pub(crate) fn set_holding(&self) {
        self.0.holding.store(true, Ordering::Release);
    }

    pub(crate) fn register_driver(&self, waker: &Waker) {
        self.0.driver.register(waker);
    }

    /// For when the connection's task is woken in any case, and nothing is to hasten it.
    pub(crate) fn unregister_driver(&self) {
        self.0.driver.take();
    }

    /// Has the connection's task look at it.
    pub(crate) fn wake_driver(&self) {
        self.0.driver.wake();
    }

    /// Counts a request that begins.
    pub(super) fn count_request(&self, has_body: bool) {
        self.0.had_body.store(has_body, Ordering::Relaxed);
        self.0.open_ended.store(false, Ordering::Relaxed);
        self.0.cut_short.store(false, Ordering::Relaxed);
        self.0.head_begun.store(false, Ordering::Relaxed);
        self.0.begun.store(self.requests().wrapping_add(1), Ordering::Relaxed);
        self.0.in_flight.fetch_add(REQUEST + WAITING, Ordering::Relaxed);
    }

    pub(super) fn count_upload(&self) {
        self.0.in_flight.fetch_add(UPLOAD, Ordering::Relaxed);
    }

    pub(super) fn count_tunnel(&self) {
        self.0.tunnels.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted in flight is no more.
    pub(super) fn uncount(&self, counted: u64) {
        self.0.in_flight.fetch_sub(counted, Ordering::Release);
    }

    /// A request or upload has ended, or was given up by the client.
    pub(super) fn end_counted(&self, counted: u64, given_up: bool) {
        if given_up {
            self.0.cancelled.fetch_add(1, Ordering::Relaxed);
        }
        self.0.stamp_idle();
        self.uncount(counted);
    }

    /// A tunnel has ended.
    pub(super) fn end_tunnel(&self) {
        self.0.stamp_idle();
        self.0.tunnels.fetch_sub(1, Ordering::Release);
    }

    fn has_tunnels(&self) -> bool {
        self.0.tunnels.load(Ordering::Acquire) > 0
    }

    /// How many requests there have been so far.
    pub(crate) fn requests(&self) -> u32 {
        self.0.begun.load(Ordering::Relaxed)
    }

    /// Bytes came over a connection that serves one request at a time.
    pub(crate) fn note_read(&self) {
        if self.0.in_flight.load(Ordering::Relaxed) == 0 {
            self.0.head_begun.store(true, Ordering::Relaxed);
        }
        self.note_progress();
    }

    /// A piece of a request or of a response has moved.
    pub(crate) fn note_progress(&self) {
        self.note_moved(1);
    }

    pub(super) fn note_moved(&self, with_worth: u64) {
        let moved = &self.0.moved;
        moved.store(moved.load(Ordering::Relaxed).wrapping_add(with_worth), Ordering::Relaxed);
    }

    /// What has been done for the client so far, in frames that it may send for it. Wraps.
    ///
    /// A response is worth 16, each piece of its body 4, and every 256 bytes one: 68 for 16 KiB, which is a frame.
    /// Envoy takes 10 WINDOW_UPDATEs for each frame of a response, on each of the two levels, and 100 PRIORITY frames
    /// for each stream. What a client asks for in smaller bits than its window has to be earns less than it costs.
    pub(crate) fn worked(&self) -> u32 {
        let pieces = lower_half(self.0.moved.load(Ordering::Relaxed) >> 32);
        self.completed().wrapping_mul(WORTH_OF_RESPONSE).wrapping_add(pieces)
    }

    /// How many requests the client has given up so far. Wraps.
    pub(crate) fn cancelled(&self) -> u32 {
        self.0.cancelled.load(Ordering::Relaxed)
    }

    /// How many responses have ended so far. Wraps.
    pub(crate) fn completed(&self) -> u32 {
        let in_flight = lower_half(self.0.in_flight.load(Ordering::Relaxed) % UPLOAD);
        self.requests().wrapping_sub(in_flight).wrapping_sub(self.cancelled())
    }

    /// The connection is to end because its client has kept the server busy for nothing.
    pub(crate) fn set_flooded(&self) {
        self.0.flooded.store(true, Ordering::Relaxed);
    }

    /// Whether the client has kept the server busy for nothing.
    pub(crate) fn is_flooded(&self) -> bool {
        self.0.flooded.load(Ordering::Relaxed)
    }

    /// The connection takes no more for now.
    pub(crate) fn note_unsent(&self) {
        self.0.unsent.store(true, Ordering::Relaxed);
    }

    /// The connection has taken all that was written.
    pub(crate) fn note_sent(&self) {
        if self.is_unsent() {
            self.0.unsent.store(false, Ordering::Relaxed);
            self.0.stamp_idle();
        }
    }

    /// Whether the connection has not taken all that was written.
    pub(crate) fn is_unsent(&self) -> bool {
        self.0.unsent.load(Ordering::Relaxed)
    }

    /// Changes when something moves.
    pub(crate) fn progress(&self) -> u32 {
        lower_half(self.0.moved.load(Ordering::Relaxed))
    }

    /// What the connection waits for.
    pub(crate) fn phase(&self) -> Phase {
        match self.0.in_flight.load(Ordering::Acquire) {
            0 if self.has_tunnels() => Phase::Tunnels,
            0 if self.is_unsent() => Phase::Bodies,
            0 if self.0.head_begun.load(Ordering::Relaxed) => Phase::Head,
            0 => Phase::Idle,
            requests if requests < WAITING => Phase::Bodies,
            _ => Phase::Response,
        }
    }

    /// Whether the client may still be sending the body of the last request.
    pub(crate) fn had_body(&self) -> bool {
        self.0.had_body.load(Ordering::Relaxed)
    }

    /// Whether nobody can say yet, or any more, where the next request on the connection begins.
    pub(crate) fn set_open_ended(&self, is: bool) {
        self.0.open_ended.store(is, Ordering::Relaxed);
    }

    /// Whether nobody can say where the next request begins.
    pub(crate) fn is_open_ended(&self) -> bool {
        self.0.open_ended.load(Ordering::Relaxed)
    }

    /// A response broke off whose client takes the end of the connection for its end.
    pub(crate) fn note_cut_short(&self) {
        self.0.cut_short.store(true, Ordering::Relaxed);
    }

    /// Whether the connection must not end as if all were well.
    pub(crate) fn is_cut_short(&self) -> bool {
        self.0.cut_short.load(Ordering::Relaxed)
    }

    /// For how long the connection has waited for its next request, or for its first one; `None` if it does anything
    /// else or may not be answered, and if it is to end already.
    ///
    /// May be behind by a request that has just come: [`drain`](Self::drain) lets that end.
    pub fn waiting_for(&self) -> Option<Duration> {
        let waits = self.phase() == Phase::Idle && self.is_open() && !self.is_draining();
        waits.then(|| self.idle_for()).flatten()
    }

    /// For how long no request has been in flight, no tunnel open and nothing unsent; `None` while there is something.
    pub(crate) fn idle_for(&self) -> Option<Duration> {
        if self.0.in_flight.load(Ordering::Acquire) > 0 || self.has_tunnels() || self.is_unsent() {
            return None;
        }
        let idle_at = Duration::from_millis(self.0.idle_at.load(Ordering::Relaxed));
        Some(self.0.since.elapsed().saturating_sub(idle_at))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
fn lower_half(value: u64) -> u32 {
    value as u32
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A request.
    Idle,
    /// The rest of a request's head.
    Head,
    /// The head of a response.
    Response,
    /// The bodies of responses, and what is left of those of their requests.
    Bodies,
    /// Nothing but what comes through tunnels, which have a timeout of their own.
    Tunnels,
}

/// A [`Control`] that does not keep its connection's record alive.
#[derive(Debug, Clone)]
pub struct WeakControl(Weak<State>);

impl WeakControl {
    /// The connection, unless it is gone with all its requests and tunnels.
    pub fn upgrade(&self) -> Option<Control> {
        self.0.upgrade().map(Control)
    }

    /// Whether the connection, a request or a tunnel of it is still there.
    pub fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}
