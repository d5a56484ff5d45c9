use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::{
    idle::{Idle, PooledConnection},
    origin::Home,
    streams::StreamSlot,
};
use crate::body::ResponseBodyError;

/// A response body that returns its connection to the pool once it has been read to the end.
///
/// If it is dropped before that, it closes the connection or, with HTTP/2, resets the stream.
pub(crate) struct PooledBody {
    inner: Incoming,
    lease: Option<HeldConnection>,
    /// The response has no body, whatever its `Content-Length` says.
    absent: bool,
}

/// The connection or stream that a body holds until it has been read to the end.
enum HeldConnection {
    Connection(Box<PooledConnection>, Home),
    Stream(StreamSlot),
}

impl PooledBody {
    pub(super) fn new(inner: Incoming, connection: Box<PooledConnection>, home: Home) -> Self {
        let mut body = Self { inner, lease: Some(HeldConnection::Connection(connection, home)), absent: false };
        body.give_back_at_end();
        body
    }

    /// A body on a connection that is never reused, for example after a change of protocol.
    pub(super) fn unpooled(inner: Incoming) -> Self {
        Self { inner, lease: None, absent: false }
    }

    /// A body on an HTTP/2 stream.
    pub(super) fn on_stream(inner: Incoming, stream: StreamSlot) -> Self {
        let mut body = Self { inner, lease: Some(HeldConnection::Stream(stream)), absent: false };
        body.give_back_at_end();
        body
    }

    /// The body of a response whose status allows none. It is not read: a 304 can have a `Content-Length`, and if an empty
    /// frame ends the stream, h2 reports that the body is too short (RFC 9113, 8.1.1).
    pub(super) fn absent(inner: Incoming) -> Self {
        Self { inner, lease: None, absent: true }
    }

    fn give_back_at_end(&mut self) {
        if self.inner.is_end_stream() {
            self.give_back();
        }
    }

    /// Whether a stream ended too early. hyper treats RST_STREAM with NO_ERROR as a normal end, but it is one only after
    /// END_STREAM (RFC 9113, 8.1).
    fn is_short(&self) -> bool {
        matches!(self.lease, Some(HeldConnection::Stream(_))) && !self.inner.is_end_stream()
    }

    fn is_http1(&self) -> bool {
        matches!(self.lease, Some(HeldConnection::Connection(..)))
    }

    fn leave(&mut self) {
        if let Some(HeldConnection::Connection(connection, _)) = self.lease.take() {
            Idle::leave(connection);
        }
    }

    fn give_back(&mut self) {
        if let Some(HeldConnection::Connection(connection, home)) = self.lease.take() {
            home.put(connection);
        }
    }
}

impl Body for PooledBody {
    type Data = Bytes;
    type Error = ResponseBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ResponseBodyError>>> {
        if self.absent {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(None) if self.is_short() => {
                self.lease = None;
                return Poll::Ready(Some(Err(ResponseBodyError::cut())));
            }
            Poll::Ready(None) => self.give_back(),
            // hyper treats everything up to the next empty line with CRLF as trailers, but parses them only up to the
            // first empty line with LF. The bytes in between may be another response (RFC 9112, 2.2).
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() && self.is_http1() => self.leave(),
            Poll::Ready(Some(Ok(_))) => {
                if let Some(HeldConnection::Stream(stream)) = &self.lease {
                    stream.received_data();
                }
                self.give_back_at_end();
            }
            Poll::Ready(Some(Err(_))) => drop(self.lease.take()),
            Poll::Pending => {}
        }
        polled.map_err(ResponseBodyError::hyper)
    }

    fn is_end_stream(&self) -> bool {
        self.absent || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl std::fmt::Debug for PooledBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PooledBody").field("inner", &self.inner).finish_non_exhaustive()
    }
}
