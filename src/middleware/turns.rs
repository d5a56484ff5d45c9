//! Lets other tasks run while a long body is compressed.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::{FutureExt, future::BoxFuture};
use http_body::{Body, Frame, SizeHint};
use pmesh_layers::body::{ResponseBody, ResponseBodyError};

/// How much is compressed in one turn: some milliseconds of work.
const TURN: usize = 64 * 1024;

/// How much of a turn is used up. Shared by a body and the compressed body around it.
#[derive(Debug, Clone, Default)]
pub(super) struct Turn(Arc<AtomicUsize>);

impl Turn {
    fn left(&self) -> usize {
        TURN - self.0.load(Ordering::Relaxed).min(TURN)
    }

    fn spend(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }

    fn renew(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// A body to compress. It gives no more than a [`TURN`] until the [`Paused`] body around it has paused.
pub(super) struct InTurns {
    inner: ResponseBody,
    /// What is left of the last frame.
    rest: Bytes,
    turn: Turn,
}

impl InTurns {
    pub(super) fn new(inner: ResponseBody, turn: Turn) -> Self {
        Self { inner, rest: Bytes::new(), turn }
    }
}

impl Body for InTurns {
    type Data = Bytes;
    type Error = ResponseBodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = self.get_mut();
        let left = this.turn.left();
        if left == 0 {
            // `Paused` wakes the task.
            return Poll::Pending;
        }
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.inner).poll_frame(cx)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => this.rest = data,
                Some(Ok(Err(trailers))) => return Poll::Ready(Some(Ok(trailers))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
        let piece = this.rest.split_to(this.rest.len().min(left));
        this.turn.spend(piece.len());
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (inner, rest) = (self.inner.size_hint(), self.rest.len() as u64);
        let mut hint = SizeHint::new();
        hint.set_lower(inner.lower().saturating_add(rest));
        if let Some(upper) = inner.upper() {
            hint.set_upper(upper.saturating_add(rest));
        }
        hint
    }
}

/// A compressed body that yields to other tasks after each [`TURN`]. Compressing costs far more than copying, so that a
/// fast backend and a fast client would otherwise hold up all other requests of the worker.
pub(super) struct Paused<B> {
    inner: B,
    turn: Turn,
    pause: Option<BoxFuture<'static, ()>>,
}

impl<B> Paused<B> {
    pub(super) fn new(inner: B, turn: Turn) -> Self {
        Self { inner, turn, pause: None }
    }
}

impl<B: Body + Unpin> Body for Paused<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.get_mut();
        loop {
            if this.turn.left() == 0 {
                // Unlike waking the task at once, this also lets the runtime look for new requests.
                let pause = this.pause.get_or_insert_with(|| tokio::task::yield_now().boxed());
                ready!(pause.as_mut().poll(cx));
                this.pause = None;
                this.turn.renew();
            }
            let polled = Pin::new(&mut this.inner).poll_frame(cx);
            if polled.is_ready() || this.turn.left() > 0 {
                return polled;
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
