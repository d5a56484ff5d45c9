//! The task of a stream.

use std::{
    cell::Cell,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

use super::turns::{Place, StreamTurns};
use crate::conn::{InFlight, OwnTimeout};

/// How often a stream is checked within its timeout.
const CHECKS_PER_TIMEOUT: u32 = 4;
/// How much of a response a client has to read within the timeout once it has fallen behind.
const MIN_PIECE: usize = 16 * 1024;

/// Runs each HTTP/2 stream as a task, a few in each turn of its connection. Resets a stream if its client leaves a
/// piece of the response waiting for too long.
///
/// While other streams of the connection make progress, nothing else would end such a stream, which occupies a
/// connection to a backend.
///
/// A stall does not end a connection with an open event stream or the like. Instead, each of its streams is reset if it
/// makes no progress for its own timeout, whatever the reason. Streams of other connections need no timer for that.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    timeout: Duration,
    /// How much is buffered for a stream besides the last piece.
    buffer: usize,
    /// The turns of the connection. `None` if many users share the connection.
    turns: Option<StreamTurns>,
}

impl Streams {
    pub(super) fn new(timeout: Duration, buffer: usize, turns: Option<StreamTurns>) -> Self {
        Self { timeout, buffer, turns }
    }
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, inner: F) {
        let Self { timeout, buffer, turns } = self.clone();
        tokio::spawn(StreamTask {
            inner,
            place: turns.map(StreamTurns::place),
            begun: false,
            timeout,
            buffer,
            moves: Moves::default(),
            moved: false,
            looks: 0,
            timer: None,
        });
    }
}

/// What happened to the body of a response, as seen by its polls. hyper does not poll a body whose last piece waits for
/// a window.
#[derive(Debug, Clone, Copy, Default)]
struct Moves {
    /// The body returned a piece, the previous piece was taken, or more of the request has arrived.
    moved: bool,
    /// The length of the piece that the last poll returned.
    in_hand: Option<usize>,
    /// The length of the piece before it, and of all pieces before it.
    before: usize,
    all: usize,
    /// The response's own timeout, if it has one.
    own_timeout: Option<OwnTimeout>,
    /// Whether the stream is also watched while it waits for the service. Otherwise only its connection is.
    watches_itself: bool,
    /// The stream has waited too long, and is polled for the last time.
    stalled: bool,
}

/// What to do with a response that waits for the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) enum Verdict {
    GoOn,
    Stalled,
}

impl Moves {
    const NONE: Self = Self {
        moved: false,
        in_hand: None,
        before: 0,
        all: 0,
        own_timeout: None,
        watches_itself: false,
        stalled: false,
    };
}

thread_local! {
    /// The moves of the stream that is being polled. Without this, a response and its stream would have to share an
    /// allocation.
    static MOVES: Cell<Moves> = const { Cell::new(Moves::NONE) };
}

/// Notes that the body of a response was polled and returned a piece of this length, or `None`.
pub(in crate::serve) fn record_polled(piece: Option<usize>, in_flight: &mut InFlight) -> Verdict {
    let mut moves = MOVES.get();
    if let Some(bytes) = moves.in_hand {
        moves.before = bytes;
        moves.all = moves.all.saturating_add(bytes);
    }
    moves.watches_itself = in_flight.watches_itself();
    moves.own_timeout = in_flight.own_timeout();
    moves.moved |=
        piece.is_some() || moves.in_hand.is_some() || (moves.watches_itself && in_flight.has_received_more());
    moves.in_hand = piece;
    MOVES.set(moves);
    if moves.stalled && moves.watches_itself { Verdict::Stalled } else { Verdict::GoOn }
}

pin_project! {
    struct StreamTask<F, W> {
        #[pin]
        inner: F,
        #[pin]
        place: Option<Place<W>>,
        begun: bool,
        timeout: Duration,
        buffer: usize,
        moves: Moves,
        // Since the last check.
        moved: bool,
        // Consecutive checks without progress.
        looks: u32,
        // Only for a stream that has had to wait for its client, or that watches itself.
        #[pin]
        timer: Option<Sleep>,
    }
}

impl<F: Future, W: Future<Output = bool>> Future for StreamTask<F, W> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Some(place) = this.place.as_pin_mut() {
            // The connection has ended and nobody waits for this stream, so no backend gets the request.
            if !ready!(place.poll_admission(cx)) && !*this.begun {
                return Poll::Ready(());
            }
            *this.begun = true;
        }
        MOVES.set(Moves { moved: false, ..*this.moves });
        if this.inner.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        *this.moves = MOVES.take();
        *this.moved |= this.moves.moved;
        if this.moves.in_hand.is_none() && !this.moves.watches_itself {
            return Poll::Pending;
        }
        let look = this.moves.own_timeout.map_or(*this.timeout, Duration::from) / CHECKS_PER_TIMEOUT;
        if this.timer.is_none() {
            this.timer.set(Some(sleep(look)));
        }
        // Bytes that must be sent before the piece in hand.
        let ahead = match this.moves.in_hand {
            Some(_) => this.moves.all.min(this.moves.before.saturating_add(*this.buffer)),
            None => 0,
        };
        let patience = CHECKS_PER_TIMEOUT.saturating_mul(u32::try_from(1 + ahead / MIN_PIECE).unwrap_or(u32::MAX));
        while let Some(mut timer) = this.timer.as_mut().as_pin_mut() {
            ready!(timer.as_mut().poll(cx));
            *this.looks = if std::mem::take(this.moved) { 0 } else { *this.looks + 1 };
            if *this.looks >= patience {
                tracing::debug!("a stream made no progress for too long");
                if this.moves.in_hand.is_none() {
                    MOVES.set(Moves { stalled: true, ..*this.moves });
                    let _ = this.inner.poll(cx);
                    MOVES.set(Moves::NONE);
                }
                // h2 resets a stream that is dropped.
                break;
            }
            timer.reset(Instant::now() + look);
        }
        Poll::Ready(())
    }
}
