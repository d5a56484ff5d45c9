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
    /// The last request had a body, which may not have been read to its end.
    had_body: AtomicBool,
    /// Requests whose response has not ended; in the upper half, those of them that have no response yet.
    in_flight: AtomicU64,
    /// Streams that have become tunnels; a connection of HTTP/1 is none any more when it has.
    tunnels: AtomicU32,
    /// Requests so far, to tell one from the next. Written by the connection's task alone.
    begun: AtomicU32,
    /// Something was read that no request came of yet.
    head_begun: AtomicBool,
    /// Something was written that the connection has not taken yet, perhaps the end of the last response.
    unsent: AtomicBool,
    /// Pieces that have moved either way, to see whether any has. May miss one when two move at a time.
    moved: AtomicU32,
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

/// One request in flight, and one that waits for its response.
const REQUEST: u64 = 1;
const WAITING: u64 = 1 << 32;

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
            had_body: AtomicBool::new(false),
            in_flight: AtomicU64::new(0),
            tunnels: AtomicU32::new(0),
            begun: AtomicU32::new(0),
            head_begun: AtomicBool::new(false),
            unsent: AtomicBool::new(false),
            moved: AtomicU32::new(0),
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

    pub(crate) fn set_holding(&self) {
        self.0.holding.store(true, Ordering::Release);
    }

    pub(crate) fn register_driver(&self, waker: &Waker) {
        self.0.driver.register(waker);
    }

    pub(crate) fn begin_request(&self, has_body: bool) -> InFlight {
        self.0.had_body.store(has_body, Ordering::Relaxed);
        self.0.head_begun.store(false, Ordering::Relaxed);
        self.0.begun.store(self.requests().wrapping_add(1), Ordering::Relaxed);
        self.0.in_flight.fetch_add(REQUEST + WAITING, Ordering::Relaxed);
        InFlight { control: self.clone(), counted: REQUEST + WAITING }
    }

    /// A stream has become a tunnel.
    pub(crate) fn begin_tunnel(&self) -> OpenTunnel {
        self.0.tunnels.fetch_add(1, Ordering::Relaxed);
        OpenTunnel(self.clone())
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
        let moved = &self.0.moved;
        moved.store(moved.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
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
        self.0.moved.load(Ordering::Relaxed)
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

    /// For how long no request has been in flight, no tunnel open and nothing unsent; `None` while there is something.
    pub(crate) fn idle_for(&self) -> Option<Duration> {
        if self.0.in_flight.load(Ordering::Acquire) > 0 || self.has_tunnels() || self.is_unsent() {
            return None;
        }
        let idle_at = Duration::from_millis(self.0.idle_at.load(Ordering::Relaxed));
        Some(self.0.since.elapsed().saturating_sub(idle_at))
    }
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

/// Counts a request as in flight until dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    control: Control,
    counted: u64,
}

impl InFlight {
    /// The head of the response is there.
    pub(crate) fn responded(&mut self) {
        self.counted = REQUEST;
        self.control.0.in_flight.fetch_sub(WAITING, Ordering::Relaxed);
    }

    pub(crate) fn note_progress(&self) {
        self.control.note_progress();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let state = &*self.control.0;
        state.stamp_idle();
        state.in_flight.fetch_sub(self.counted, Ordering::Release);
    }
}

/// Counts a tunnel as open until dropped.
#[derive(Debug)]
pub(crate) struct OpenTunnel(Control);

impl OpenTunnel {
    pub(crate) fn note_progress(&self) {
        self.0.note_progress();
    }
}

impl Drop for OpenTunnel {
    fn drop(&mut self) {
        self.0.0.stamp_idle();
        self.0.0.tunnels.fetch_sub(1, Ordering::Release);
    }
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
