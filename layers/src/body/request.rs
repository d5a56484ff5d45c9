use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Version;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tower::BoxError;

use super::{RequestBodyError, other::Other};
use crate::conn::{Control, Upload};

/// The body of a request.
///
/// A body from [`HttpServer`](crate::serve::HttpServer) keeps its connection busy until it is read to the end or
/// dropped, even if the response has already ended. It ends without an error only if the client has sent all of it.
#[derive(Debug)]
pub struct RequestBody {
    kind: Kind,
    // Dropped after the body, so that hyper notices the end of the body before the connection counts as idle.
    upload: Option<Upload>,
}

#[derive(Debug)]
enum Kind {
    Empty,
    Http1(Incoming),
    Http2(Incoming),
    Other(Other),
}

impl RequestBody {
    /// An empty body.
    pub fn empty() -> Self {
        Self { kind: Kind::Empty, upload: None }
    }

    /// Boxes any body, for use with other servers or for your own requests.
    pub fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self { kind: Kind::Other(Other::new(body)), upload: None }
    }

    /// The body of a request that was received on `connection`.
    pub(crate) fn received(body: Incoming, version: Version, connection: &Control) -> Self {
        // Most requests have none. It is then known from here on, without asking hyper each time.
        if body.is_end_stream() {
            return Self::empty();
        }
        let kind = if version < Version::HTTP_2 { Kind::Http1(body) } else { Kind::Http2(body) };
        Self { kind, upload: Some(connection.begin_upload()) }
    }
}

impl Default for RequestBody {
    fn default() -> Self {
        Self::empty()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let Self { kind, upload } = self.get_mut();
        let polled = ready!(kind.poll_frame(cx));
        if let Some(moving) = upload {
            moving.note_progress();
            if !matches!(&polled, Some(Ok(_))) || kind.is_known_to_be_read() {
                *upload = None;
            }
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Empty => true,
            Kind::Http1(body) | Kind::Http2(body) => body.is_end_stream(),
            Kind::Other(body) => body.look(Body::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Http1(body) | Kind::Http2(body) => body.size_hint(),
            Kind::Other(body) => body.look(Body::size_hint),
        }
    }
}

impl Kind {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        Poll::Ready(match self {
            Self::Empty => None,
            // If the response has ended, hyper may not report the end of a body with a length until the next request.
            Self::Http1(body) if body.is_end_stream() => None,
            Self::Http1(body) => {
                ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map_err(RequestBodyError::hyper))
            }
            Self::Http2(body) => match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                // hyper reports a stream that was reset with NO_ERROR as ended, but only END_STREAM ends a request
                // (RFC 9113, 8.1).
                None if !body.is_end_stream() => Some(Err(RequestBodyError::cut())),
                frame => frame.map(|frame| frame.map_err(RequestBodyError::hyper)),
            },
            Self::Other(body) => ready!(body.poll_frame(cx)),
        })
    }

    /// Whether it has ended, as far as this can be told without a lock.
    fn is_known_to_be_read(&self) -> bool {
        matches!(self, Self::Http1(body) if body.is_end_stream())
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use http_body_util::{BodyExt, Full, StreamBody};

    use super::*;

    fn is_sync<T: Send + Sync + Unpin>(body: T) -> T {
        body
    }

    #[tokio::test]
    async fn a_boxed_body_is_unchanged() {
        let body = is_sync(RequestBody::new(Full::from("body")));
        assert!(body.size_hint().exact() == Some(4) && !body.is_end_stream());
        assert_eq!(body.collect().await.unwrap().to_bytes(), "body");
        assert!(RequestBody::empty().is_end_stream());
    }

    #[tokio::test]
    async fn an_error_has_its_cause() {
        let broken = futures_util::stream::iter([Err(BoxError::from("why"))]);
        let error = RequestBody::new(StreamBody::new(broken)).collect().await.unwrap_err();
        assert_eq!(error.to_string(), "the request body broke off");
        assert_eq!(error.source().unwrap().to_string(), "why");
    }
}
