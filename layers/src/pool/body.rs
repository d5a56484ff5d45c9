use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::idle::{Connection, Idle};

/// A response body that gives its connection back to the pool once it was read to the end.
///
/// Dropped before, it ends the connection.
pub struct PooledBody<B: Send + 'static> {
    inner: Incoming,
    lease: Option<(Connection<B>, Arc<Idle<B>>)>,
}

impl<B: Send + 'static> PooledBody<B> {
    pub(super) fn new(inner: Incoming, connection: Connection<B>, idle: Arc<Idle<B>>) -> Self {
        let mut body = Self { inner, lease: Some((connection, idle)) };
        body.give_back_at_end();
        body
    }

    /// Of a connection that is never used again, as after a change of protocol.
    pub(super) fn unpooled(inner: Incoming) -> Self {
        Self { inner, lease: None }
    }

    fn give_back_at_end(&mut self) {
        if self.inner.is_end_stream() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        if let Some((connection, idle)) = self.lease.take() {
            idle.put(connection);
        }
    }
}

impl<B: Send + 'static> Body for PooledBody<B> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(None) => self.give_back(),
            Poll::Ready(Some(Ok(_))) => self.give_back_at_end(),
            Poll::Ready(Some(Err(_))) => drop(self.lease.take()),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: Send + 'static> std::fmt::Debug for PooledBody<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PooledBody").field("inner", &self.inner).finish_non_exhaustive()
    }
}
