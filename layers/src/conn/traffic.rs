//! Counts the traffic on a connection: what is in flight, whether it makes progress, and since when it has been idle.

use std::{
    sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::OwnTimeout;

/// Counters of a connection.
///
/// A counter that only the connection's task writes needs just a load and a store. It is still an atomic, because others
/// read it: the tasks of streams and of request bodies, and the search for idle connections.
#[derive(Debug)]
pub(crate) struct Traffic {
    /// Three counters, in a third of the bits each: requests whose response has not ended, uploads that have not ended,
    /// and requests that have no response yet.
    in_flight: AtomicU64,
    /// In the lower half, the number of pieces that have moved either way, to detect progress. In the upper half, what
    /// they are worth to the client. Misses some if two threads count at the same time.
    moved: AtomicU64,
    /// When the last request, upload or tunnel ended and all of it was sent, in milliseconds after `since`.
    idle_at: AtomicU64,
    since: Instant,
    /// Streams that have become tunnels. An HTTP/1 connection becomes a tunnel as a whole, and is not served any more.
    tunnels: AtomicU32,
    /// Requests so far, to tell one from the next. Written only by the connection's task.
    begun: AtomicU32,
    /// Requests that the client gave up before their responses had ended.
    cancelled: AtomicU32,
    /// HTTP/2 streams with a timeout of their own.
    own_timed: AtomicU32,
    /// The own timeout of the HTTP/1 response in flight, in milliseconds; 0 for none. Written only by the connection's
    /// task.
    own_timeout: AtomicU32,
    /// Flags that only the connection's task writes.
    seen: AtomicU8,
    /// Whether the end of the last request's body is ambiguous, or not known yet.
    open_ended: AtomicBool,
}

/// The last request had a body, which may not have been read to its end.
const HAD_BODY: u8 = 1;
/// The last response broke off, and its client would mistake a normal end of the connection for the end of the body.
const CUT_SHORT: u8 = 1 << 1;
/// Something was read that is not a whole request head yet.
const HEAD_BEGUN: u8 = 1 << 2;
/// Something was written that the connection has not accepted yet, perhaps the end of the last response.
const UNSENT: u8 = 1 << 3;

/// The units of `in_flight`: one request, one upload, and one request that waits for its response.
pub(super) const REQUEST: u64 = 1;
pub(super) const UPLOAD: u64 = 1 << 21;
pub(super) const WAITING: u64 = 1 << 42;

/// What a finished response is worth.
const WORTH_OF_RESPONSE: u32 = 16;
/// What a piece of it is worth, besides its length.
const WORTH_OF_PIECE: u64 = 4;
/// Each piece is worth one more for this many bytes.
const WORTH_ONE: u64 = 256;

/// What a connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// A request.
    Idle,
    /// The rest of a request's head.
    Head,
    /// The head of a response.
    Response,
    /// The bodies of responses, and the rest of the bodies of their requests.
    Bodies,
    /// Only tunnels, which have a timeout of their own.
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

    /// What the connection is waiting for.
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

    /// How long the connection has had no request in flight, no open tunnel and nothing unsent. `None` if it has any
    /// of these.
    pub(crate) fn idle_for(&self) -> Option<Duration> {
        if self.in_flight.load(Ordering::Acquire) > 0 || self.has_tunnels() || self.is_unsent() {
            return None;
        }
        let idle_at = Duration::from_millis(self.idle_at.load(Ordering::Relaxed));
        Some(self.since.elapsed().saturating_sub(idle_at))
    }

    /// Counts a new request.
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

    /// Removes something from the count of what is in flight.
    pub(super) fn uncount(&self, counted: u64) {
        self.in_flight.fetch_sub(counted, Ordering::Release);
    }

    /// Counts the end of a request or upload, which the client may have given up.
    pub(super) fn end_counted(&self, counted: u64, given_up: bool) {
        if given_up {
            self.cancelled.fetch_add(1, Ordering::Relaxed);
        }
        self.stamp_idle();
        self.uncount(counted);
    }

    /// Counts the end of a tunnel.
    pub(super) fn end_tunnel(&self) {
        self.stamp_idle();
        self.tunnels.fetch_sub(1, Ordering::Release);
    }

    /// Whether any request body is still to come.
    pub(super) fn has_uploads(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) % WAITING >= UPLOAD
    }

    /// Counts an HTTP/2 stream with a timeout of its own.
    pub(super) fn count_own_timed(&self) {
        self.own_timed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end_own_timed(&self) {
        self.own_timed.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn set_own_timeout(&self, timeout: Option<OwnTimeout>) {
        self.own_timeout.store(timeout.map_or(0, OwnTimeout::millis), Ordering::Relaxed);
    }

    /// Whether HTTP/2 streams are open that may be quiet for longer than others. Then each stream watches itself, and a
    /// stall does not end the connection.
    pub(crate) fn has_patient_streams(&self) -> bool {
        self.own_timed.load(Ordering::Relaxed) > 0 || self.tunnels.load(Ordering::Relaxed) > 0
    }

    /// The own timeout of the HTTP/1 response in flight, if it has one.
    pub(crate) fn own_timeout(&self) -> Option<OwnTimeout> {
        OwnTimeout::from_millis(self.own_timeout.load(Ordering::Relaxed))
    }

    fn has_tunnels(&self) -> bool {
        self.tunnels.load(Ordering::Acquire) > 0
    }

    fn stamp_idle(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.idle_at.store(now, Ordering::Relaxed);
    }

    /// The number of requests so far. Wraps.
    pub(crate) fn requests(&self) -> u32 {
        self.begun.load(Ordering::Relaxed)
    }

    /// The number of requests that the client has given up so far. Wraps.
    pub(crate) fn cancelled(&self) -> u32 {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// The number of responses that have ended so far. Wraps.
    pub(crate) fn completed(&self) -> u32 {
        let in_flight = lower_half(self.in_flight.load(Ordering::Relaxed) % UPLOAD);
        self.requests().wrapping_sub(in_flight).wrapping_sub(self.cancelled())
    }

    /// Notes bytes that arrived on a connection that serves one request at a time.
    pub(crate) fn record_read(&self) {
        if self.in_flight.load(Ordering::Relaxed) == 0 {
            self.see(HEAD_BEGUN);
        }
        self.record_progress();
    }

    /// Notes that a piece of a request or of a response has moved.
    pub(crate) fn record_progress(&self) {
        self.add_moved(1);
    }

    /// Notes a piece of a response of this many bytes.
    pub(super) fn record_piece(&self, bytes: usize) {
        self.add_moved(1 + ((WORTH_OF_PIECE + bytes as u64 / WORTH_ONE) << 32));
    }

    fn add_moved(&self, with_worth: u64) {
        self.moved.store(self.moved.load(Ordering::Relaxed).wrapping_add(with_worth), Ordering::Relaxed);
    }

    /// Changes whenever something moves.
    pub(crate) fn progress(&self) -> u32 {
        lower_half(self.moved.load(Ordering::Relaxed))
    }

    /// The work done for the client so far, in frames that the client may send in return. Wraps.
    ///
    /// A response is worth 16, each piece of its body 4, and every 256 bytes 1: 68 for 16 KiB, which is a frame. Envoy
    /// allows 10 WINDOW_UPDATEs for each frame of a response, on each of the two levels, and 100 PRIORITY frames for
    /// each stream. A client that fetches data in smaller pieces than its window requires earns less than it costs.
    pub(crate) fn worked(&self) -> u32 {
        let pieces = lower_half(self.moved.load(Ordering::Relaxed) >> 32);
        self.completed().wrapping_mul(WORTH_OF_RESPONSE).wrapping_add(pieces)
    }

    /// Notes that the connection accepts no more bytes at the moment.
    pub(crate) fn mark_unsent(&self) {
        self.see(UNSENT);
    }

    /// Notes that the connection has accepted everything that was written.
    pub(crate) fn mark_sent(&self) {
        if self.is_unsent() {
            self.seen.store(self.seen.load(Ordering::Relaxed) & !UNSENT, Ordering::Relaxed);
            self.stamp_idle();
        }
    }

    /// Whether the connection has not accepted everything that was written.
    pub(crate) fn is_unsent(&self) -> bool {
        self.has_seen(UNSENT)
    }

    /// Whether the client may still be sending the body of the last request.
    pub(crate) fn had_body(&self) -> bool {
        self.has_seen(HAD_BODY)
    }

    /// Notes that a response broke off, and that the client would mistake a normal end of the connection for the end of
    /// the body.
    pub(super) fn mark_cut_short(&self) {
        self.see(CUT_SHORT);
    }

    /// Whether the connection must not end normally.
    pub(crate) fn is_cut_short(&self) -> bool {
        self.has_seen(CUT_SHORT)
    }

    /// Sets whether it is ambiguous, or not known yet, where the next request on the connection begins.
    pub(crate) fn set_open_ended(&self, is: bool) {
        self.open_ended.store(is, Ordering::Relaxed);
    }

    /// Whether it is ambiguous, or not known yet, where the next request begins.
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

#[expect(clippy::cast_possible_truncation, reason = "the upper half is dropped on purpose")]
fn lower_half(value: u64) -> u32 {
    value as u32
}
