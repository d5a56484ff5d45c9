//! What moves over a connection: what is in flight, how far it has come, and since when there is nothing.

use std::{
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::OwnTimeout;

/// Counters of a connection.
///
/// Where only the connection's task writes one, it is a plain load and store. It is an atomic all the same, because the
/// tasks of streams and of request bodies, and whoever looks for an idle connection, read it.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// Requests whose response has not ended, uploads that have not, and requests that have no response yet, each
    /// counted in a third of it.
    in_flight: AtomicU64,
    /// Pieces that have moved either way, to see whether any has; in the upper half, what they were worth to the
    /// client. Misses some when two threads move some at a time.
    moved: AtomicU64,
    /// When the last of them ended and was sent, in milliseconds after `since`.
    idle_at: AtomicU64,
    since: Instant,
    /// Streams that have become tunnels; a connection of HTTP/1 is none any more when it has.
    tunnels: AtomicU32,
    /// Requests so far, to tell one from the next. Written by the connection's task alone.
    begun: AtomicU32,
    /// Requests that the client gave up before their responses had ended.
    cancelled: AtomicU32,
    /// Number of HTTP/2 streams with a timeout of their own.
    own_timed: AtomicU32,
    /// The own timeout of the response in flight over HTTP/1, in milliseconds; 0: none. Written by the connection's task
    /// alone.
    own_timeout: AtomicU32,
    /// Flags that the connection's task alone writes.
    seen: AtomicU8,
    /// Where the body of the last request ends has two readings, or is not known yet.
    open_ended: AtomicBool,
}

/// The last request had a body, which may not have been read to its end.
const HAD_BODY: u8 = 1;
/// The last response broke off where only the end of the connection can tell its client.
const CUT_SHORT: u8 = 1 << 1;
/// Something was read that no request came of yet.
const HEAD_BEGUN: u8 = 1 << 2;
/// Something was written that the connection has not taken yet, perhaps the end of the last response.
const UNSENT: u8 = 1 << 3;

/// One request in flight, one upload, and one request that waits for its response.
pub(super) const REQUEST: u64 = 1;
pub(super) const UPLOAD: u64 = 1 << 21;
pub(super) const WAITING: u64 = 1 << 42;

/// What a response is worth when it has ended.
const WORTH_OF_RESPONSE: u32 = 16;
/// What a piece of it is worth, besides its length.
const WORTH_OF_PIECE: u64 = 4;
/// So many bytes of it are worth one.
const WORTH_ONE: u64 = 256;

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

impl Traffic {
    pub(super) fn new() -> Self {
        Self {
            in_flight: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            idle_at: AtomicU64::new(0),
            since: Instant::now(),
            tunnels: AtomicU32::new(0),
            begun: AtomicU32::new(0),
            cancelled: AtomicU32::new(0),
            own_timed: AtomicU32::new(0),
            own_timeout: AtomicU32::new(0),
            seen: AtomicU8::new(0),
            open_ended: AtomicBool::new(false),
        }
    }

    /// What the connection waits for.
    pub(crate) fn phase(&self) -> Phase {
        match self.in_flight.load(Ordering::Acquire) {
            0 if self.has_tunnels() => Phase::Tunnels,
            0 if self.is_unsent() => Phase::Bodies,
            0 if self.has_seen(HEAD_BEGUN) => Phase::Head,
            0 => Phase::Idle,
            requests if requests < WAITING => Phase::Bodies,
            _ => Phase::Response,
        }
    }

    /// For how long no request has been in flight, no tunnel open and nothing unsent; `None` while there is something.
    pub(crate) fn idle_for(&self) -> Option<Duration> {
        if self.in_flight.load(Ordering::Acquire) > 0 || self.has_tunnels() || self.is_unsent() {
            return None;
        }
        let idle_at = Duration::from_millis(self.idle_at.load(Ordering::Relaxed));
        Some(self.since.elapsed().saturating_sub(idle_at))
    }

    /// Counts a request that begins.
    pub(super) fn count_request(&self, has_body: bool) {
        let flags = self.seen.load(Ordering::Relaxed) & UNSENT | if has_body { HAD_BODY } else { 0 };
        self.seen.store(flags, Ordering::Relaxed);
        self.open_ended.store(false, Ordering::Relaxed);
        self.begun.store(self.requests().wrapping_add(1), Ordering::Relaxed);
        self.in_flight.fetch_add(REQUEST + WAITING, Ordering::Relaxed);
    }

    pub(super) fn count_upload(&self) {
        self.in_flight.fetch_add(UPLOAD, Ordering::Relaxed);
    }

    pub(super) fn count_tunnel(&self) {
        self.tunnels.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted in flight is no more.
    pub(super) fn uncount(&self, counted: u64) {
        self.in_flight.fetch_sub(counted, Ordering::Release);
    }

    /// A request or upload has ended, or was given up by the client.
    pub(super) fn end_counted(&self, counted: u64, given_up: bool) {
        if given_up {
            self.cancelled.fetch_add(1, Ordering::Relaxed);
        }
        self.stamp_idle();
        self.uncount(counted);
    }

    /// A tunnel has ended.
    pub(super) fn end_tunnel(&self) {
        self.stamp_idle();
        self.tunnels.fetch_sub(1, Ordering::Release);
    }

    /// Whether the body of any request is still to come.
    pub(super) fn has_uploads(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) % WAITING >= UPLOAD
    }

    /// An HTTP/2 stream has a timeout of its own from now on.
    pub(super) fn count_own_timed(&self) {
        self.own_timed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end_own_timed(&self) {
        self.own_timed.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn set_own_timeout(&self, timeout: Option<OwnTimeout>) {
        self.own_timeout.store(timeout.map_or(0, OwnTimeout::millis), Ordering::Relaxed);
    }

    /// Whether HTTP/2 streams are open that may be idle for longer than others. Then each stream watches itself, and a
    /// stall does not end the connection.
    pub(crate) fn has_patient_streams(&self) -> bool {
        self.own_timed.load(Ordering::Relaxed) > 0 || self.tunnels.load(Ordering::Relaxed) > 0
    }

    /// The own timeout of the response in flight over HTTP/1, if it has one.
    pub(crate) fn own_timeout(&self) -> Option<OwnTimeout> {
        OwnTimeout::of_millis(self.own_timeout.load(Ordering::Relaxed))
    }

    fn has_tunnels(&self) -> bool {
        self.tunnels.load(Ordering::Acquire) > 0
    }

    fn stamp_idle(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.idle_at.store(now, Ordering::Relaxed);
    }

    /// How many requests there have been so far. Wraps.
    pub(crate) fn requests(&self) -> u32 {
        self.begun.load(Ordering::Relaxed)
    }

    /// How many requests the client has given up so far. Wraps.
    pub(crate) fn cancelled(&self) -> u32 {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// How many responses have ended so far. Wraps.
    pub(crate) fn completed(&self) -> u32 {
        let in_flight = lower_half(self.in_flight.load(Ordering::Relaxed) % UPLOAD);
        self.requests().wrapping_sub(in_flight).wrapping_sub(self.cancelled())
    }

    /// Bytes came over a connection that serves one request at a time.
    pub(crate) fn note_read(&self) {
        if self.in_flight.load(Ordering::Relaxed) == 0 {
            self.see(HEAD_BEGUN);
        }
        self.note_progress();
    }

    /// A piece of a request or of a response has moved.
    pub(crate) fn note_progress(&self) {
        self.add_moved(1);
    }

    /// A piece of a response of so many bytes has moved.
    pub(super) fn note_piece(&self, bytes: usize) {
        self.add_moved(1 + ((WORTH_OF_PIECE + bytes as u64 / WORTH_ONE) << 32));
    }

    fn add_moved(&self, with_worth: u64) {
        self.moved.store(self.moved.load(Ordering::Relaxed).wrapping_add(with_worth), Ordering::Relaxed);
    }

    /// Changes when something moves.
    pub(crate) fn progress(&self) -> u32 {
        lower_half(self.moved.load(Ordering::Relaxed))
    }

    /// What has been done for the client so far, in frames that it may send for it. Wraps.
    ///
    /// A response is worth 16, each piece of its body 4, and every 256 bytes one: 68 for 16 KiB, which is a frame.
    /// Envoy takes 10 WINDOW_UPDATEs for each frame of a response, on each of the two levels, and 100 PRIORITY frames
    /// for each stream. What a client asks for in smaller bits than its window has to be earns less than it costs.
    pub(crate) fn worked(&self) -> u32 {
        let pieces = lower_half(self.moved.load(Ordering::Relaxed) >> 32);
        self.completed().wrapping_mul(WORTH_OF_RESPONSE).wrapping_add(pieces)
    }

    /// The connection takes no more for now.
    pub(crate) fn note_unsent(&self) {
        self.see(UNSENT);
    }

    /// The connection has taken all that was written.
    pub(crate) fn note_sent(&self) {
        if self.is_unsent() {
            self.seen.store(self.seen.load(Ordering::Relaxed) & !UNSENT, Ordering::Relaxed);
            self.stamp_idle();
        }
    }

    /// Whether the connection has not taken all that was written.
    pub(crate) fn is_unsent(&self) -> bool {
        self.has_seen(UNSENT)
    }

    /// Whether the client may still be sending the body of the last request.
    pub(crate) fn had_body(&self) -> bool {
        self.has_seen(HAD_BODY)
    }

    /// A response broke off whose client takes the end of the connection for its end.
    pub(super) fn note_cut_short(&self) {
        self.see(CUT_SHORT);
    }

    /// Whether the connection must not end as if all were well.
    pub(crate) fn is_cut_short(&self) -> bool {
        self.has_seen(CUT_SHORT)
    }

    /// Whether nobody can say yet, or any more, where the next request on the connection begins.
    pub(crate) fn set_open_ended(&self, is: bool) {
        self.open_ended.store(is, Ordering::Relaxed);
    }

    /// Whether nobody can say where the next request begins.
    pub(crate) fn is_open_ended(&self) -> bool {
        self.open_ended.load(Ordering::Relaxed)
    }

    fn see(&self, flag: u8) {
        self.seen.store(self.seen.load(Ordering::Relaxed) | flag, Ordering::Relaxed);
    }

    fn has_seen(&self, flag: u8) -> bool {
        self.seen.load(Ordering::Relaxed) & flag != 0
    }
}

#[expect(clippy::cast_possible_truncation, reason = "that is what it is for")]
fn lower_half(value: u64) -> u32 {
    value as u32
}
