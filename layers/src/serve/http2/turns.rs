//! The turns of a connection and of its streams.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task::yield_now,
};

use crate::{conn::Control, serve::drive::ServerConnection};

/// Polls of streams per turn.
const STREAMS_PER_TURN: usize = 8;

/// The turns of an HTTP/2 connection, shared by its task and the tasks of its streams. They keep a connection with a
/// hundred requests in flight from getting more of the runtime than a connection with one.
///
/// A turn begins when the connection's task is polled. The runtime polls tasks in the order in which they were woken,
/// so the tasks of other connections run between two turns.
#[derive(Debug, Clone)]
pub(super) struct StreamTurns(Arc<TurnsRecord>);

#[derive(Debug)]
struct TurnsRecord {
    control: Control,
    /// The number of the current turn. Wraps.
    number: AtomicU32,
    /// One permit for each poll of a stream that this turn still allows, first come, first served. Closed when the
    /// connection ends.
    polls: Semaphore,
    /// Whether the next turn comes soon anyway.
    soon: AtomicBool,
    /// Whether streams wait until more has been read.
    postponed: AtomicBool,
}

impl StreamTurns {
    pub(super) fn new(control: Control) -> Self {
        Self(Arc::new(TurnsRecord {
            control,
            number: AtomicU32::new(0),
            polls: Semaphore::new(STREAMS_PER_TURN),
            soon: AtomicBool::new(false),
            postponed: AtomicBool::new(false),
        }))
    }

    pub(super) fn begin(&self) {
        self.0.number.fetch_add(1, Ordering::Relaxed);
        self.0.postponed.store(false, Ordering::Relaxed);
        // Streams may be waiting, and their work will need another turn.
        self.0.soon.store(self.0.polls.available_permits() == 0, Ordering::Relaxed);
    }

    fn end(&self, cx: &mut Context<'_>) {
        if !self.0.postponed.load(Ordering::Relaxed) {
            let polls = &self.0.polls;
            polls.add_permits(STREAMS_PER_TURN.saturating_sub(polls.available_permits()));
        }
        if self.is_soon() {
            // The next turn comes after the streams that were admitted, and after input that the runtime has not seen
            // yet. With the driver unregistered, streams that queue up do not bring the turn forward.
            self.0.control.unregister_driver();
            let _ = pin!(yield_now()).poll(cx);
        }
    }

    /// Makes all streams wait until the end of the next turn.
    pub(super) fn postpone(&self) {
        self.0.polls.forget_permits(STREAMS_PER_TURN);
        self.0.postponed.store(true, Ordering::Relaxed);
    }

    /// Makes sure that another turn comes soon, whatever happens in this one.
    pub(super) fn set_soon(&self) {
        self.0.soon.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_soon(&self) -> bool {
        self.0.soon.load(Ordering::Relaxed)
    }

    pub(super) fn number(&self) -> u32 {
        self.0.number.load(Ordering::Relaxed)
    }

    /// The place of a new stream.
    pub(super) fn place(self) -> Place<impl Future<Output = bool>> {
        Place { turns: self, wait: Self::wait, waiting: None }
    }

    async fn wait(self) -> bool {
        self.0.polls.acquire().await.map(SemaphorePermit::forget).is_ok()
    }
}

pin_project! {
    /// A stream's place in the turns of its connection.
    pub(super) struct Place<W> {
        turns: StreamTurns,
        wait: fn(StreamTurns) -> W,
        // Only while the stream has to wait. With many in flight, that is before most polls, so it is not boxed.
        #[pin]
        waiting: Option<W>,
    }
}

impl<W: Future<Output = bool>> Place<W> {
    /// Ready with `true` when the stream may be polled, and with `false` once its connection has ended.
    pub(super) fn poll_admission(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<bool> {
        let mut this = self.project();
        loop {
            if let Some(waiting) = this.waiting.as_mut().as_pin_mut() {
                let admission = waiting.poll(cx);
                match admission {
                    Poll::Ready(_) => this.waiting.set(None),
                    Poll::Pending => this.turns.0.control.wake_driver(),
                }
                return admission;
            }
            if let Ok(permit) = this.turns.0.polls.try_acquire() {
                permit.forget();
                return Poll::Ready(true);
            }
            this.waiting.set(Some((this.wait)(this.turns.clone())));
        }
    }
}

pin_project! {
    /// A connection that begins a turn with each poll.
    pub(super) struct InTurns<C> {
        #[pin]
        inner: C,
        // Dropped after the connection, whose end wakes the waiting streams.
        turns: ClosesTurns,
    }
}

impl<C> InTurns<C> {
    pub(super) fn new(inner: C, turns: StreamTurns) -> Self {
        Self { inner, turns: ClosesTurns(turns) }
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

impl<C: ServerConnection> ServerConnection for InTurns<C> {
    fn drain(self: Pin<&mut Self>) {
        self.project().inner.drain();
    }
}

struct ClosesTurns(StreamTurns);

impl Drop for ClosesTurns {
    fn drop(&mut self) {
        self.0.0.polls.close();
    }
}

#[cfg(test)]
mod tests;
