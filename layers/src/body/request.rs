use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::Version;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tower::BoxError;

use super::{RequestBodyError, WatchRequest, Whole, other::Other};
use crate::{
    any::as_is,
    conn::{Control, Received, Upload},
    trailers::TrailerFilter,
};

/// The body of a request, from any server.
///
/// Layers that act on bodies (a limit, a trailer filter, a timeout) pass on this type instead of one of their own, so
/// the request type is the same everywhere in the stack.
///
/// A body from [`HttpServer`](crate::serve::HttpServer) keeps its connection busy until it is read to the end or
/// dropped, even if the response has already ended. It ends without an error only if the client has sent all of it.
#[derive(Debug, Default)]
pub struct RequestBody(Option<Box<Present>>);

/// A body that is not known to be empty. Boxed, because most requests have no body, and every layer moves its request.
#[derive(Debug)]
struct Present {
    kind: Kind,
    /// Number of bytes that may still come.
    left: u64,
    trailers: TrailerFilter,
    watch: Option<Arc<dyn WatchRequest>>,
    // Dropped after the body, so that hyper notices the end of the body before the connection counts as idle.
    upload: Option<Upload>,
}

#[derive(Debug)]
enum Kind {
    Http1(Incoming),
    Http2(Incoming),
    Whole(Whole),
    Other(Other<RequestBodyError>),
}

impl RequestBody {
    /// Creates an empty body.
    pub fn empty() -> Self {
        Self(None)
    }

    /// Creates a body that is completely in memory, and can be sent [again](Self::again).
    pub(crate) fn whole(whole: Whole) -> Self {
        if whole.is_read() { Self::empty() } else { Self::from_kind(Kind::Whole(whole), None) }
    }

    /// Returns the same body again, if it is completely in memory and nothing of it has been read.
    pub(crate) fn again(&self) -> Option<Self> {
        let Some(body) = &self.0 else { return Some(Self::empty()) };
        match &body.kind {
            Kind::Whole(whole) if whole.is_unread() && body.trailers.passes_all() => {
                let mut again = Self::from_kind(Kind::Whole(whole.clone()), None);
                again.limit(body.left);
                Some(again)
            }
            _ => None,
        }
    }

    /// Boxes any body, for use with other servers or for your own requests. A `RequestBody` is returned unchanged.
    pub fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        as_is(body).unwrap_or_else(|body| Self::from_kind(Kind::Other(Other::new(body, RequestBodyError::other)), None))
    }

    /// The body of a request that was received on `connection`.
    pub(crate) fn received(body: Incoming, version: Version, connection: &Control, received: &Received) -> Self {
        // From here on, this is known without asking hyper each time.
        if body.is_end_stream() {
            return Self::empty();
        }
        let kind = if version < Version::HTTP_2 { Kind::Http1(body) } else { Kind::Http2(body) };
        Self::from_kind(kind, Some(connection.begin_upload(received)))
    }

    fn from_kind(kind: Kind, upload: Option<Upload>) -> Self {
        let trailers = TrailerFilter::PassAll;
        Self(Some(Box::new(Present { kind, left: u64::MAX, trailers, watch: None, upload })))
    }

    /// Makes the body fail with [`BodyTooLong`](super::BodyTooLong) once it has more than `limit` bytes.
    pub(crate) fn limit(&mut self, limit: u64) {
        if let Some(body) = &mut self.0 {
            body.left = body.left.min(limit);
        }
    }

    /// Filters trailers.
    pub(crate) fn filter_trailers(&mut self, filter: TrailerFilter) {
        self.act(|body| body.trailers.passes_all(), |body| body.trailers = filter);
    }

    /// Lets `watch` follow the body.
    pub(crate) fn watch(&mut self, watch: Arc<dyn WatchRequest>) {
        self.act(|body| body.watch.is_none(), |body| body.watch = Some(watch));
    }

    /// Removes the watch.
    pub(crate) fn unwatch(&mut self) {
        if let Some(body) = &mut self.0 {
            body.watch = None;
        }
    }

    /// Acts on the body if it has room for that, otherwise on a new body around it.
    fn act(&mut self, has_room: impl FnOnce(&Present) -> bool, act: impl FnOnce(&mut Present)) {
        if self.0.as_ref().is_some_and(|body| !has_room(body)) {
            let inner = std::mem::take(self);
            *self = Self::from_kind(Kind::Other(Other::new(inner, RequestBodyError::other)), None);
        }
        self.0.as_deref_mut().map(act);
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let Some(body) = &mut self.get_mut().0 else { return Poll::Ready(None) };
        let mut polled = body.poll_kind(cx);
        body.trailers.filter(&mut polled);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            match body.left.checked_sub(data.len() as u64) {
                Some(left) => body.left = left,
                None => {
                    body.left = 0;
                    polled = Poll::Ready(Some(Err(RequestBodyError::too_long())));
                }
            }
        }
        if let Some(watch) = &body.watch {
            match &polled {
                Poll::Pending => watch.waits_for_client(),
                Poll::Ready(Some(Ok(frame))) => watch.moved(frame.data_ref().map_or(0, Bytes::len)),
                Poll::Ready(_) => watch.moved(0),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match self.0.as_ref().map(|body| &body.kind) {
            None => true,
            Some(Kind::Http1(body) | Kind::Http2(body)) => body.is_end_stream(),
            Some(Kind::Whole(whole)) => whole.is_read(),
            Some(Kind::Other(body)) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.0.as_ref().map(|body| &body.kind) {
            None => SizeHint::with_exact(0),
            Some(Kind::Http1(body) | Kind::Http2(body)) => body.size_hint(),
            Some(Kind::Whole(whole)) => whole.size_hint(),
            Some(Kind::Other(body)) => body.size_hint(),
        }
    }
}

impl Present {
    fn poll_kind(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        if self.upload.as_ref().is_some_and(|upload| upload.is_given_up(cx)) {
            self.upload = None;
            return Poll::Ready(Some(Err(RequestBodyError::cut())));
        }
        let polled = ready!(self.kind.poll_frame(cx));
        if let Some(moving) = &self.upload {
            moving.record_progress();
            if !matches!(&polled, Some(Ok(_))) || self.kind.is_known_to_be_read() {
                self.upload = None;
            }
        }
        Poll::Ready(polled)
    }
}

impl Kind {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        Poll::Ready(match self {
            // After the end of the response, hyper may not report the end of a body with a length until the next
            // request.
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
            Self::Whole(whole) => whole.next_frame().map(Ok),
            Self::Other(body) => ready!(body.poll_frame(cx)),
        })
    }

    /// Whether the body is known to have been read to its end. `false` if finding out would take a lock.
    fn is_known_to_be_read(&self) -> bool {
        matches!(self, Self::Http1(body) if body.is_end_stream())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        error::Error,
        sync::atomic::{AtomicUsize, Ordering},
    };

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

    #[derive(Debug, Default)]
    struct Moved(AtomicUsize);

    impl WatchRequest for Moved {
        fn waits_for_client(&self) {}

        fn moved(&self, bytes: usize) {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn two_layers_of_the_same_kind_both_act() {
        let watches = [Arc::new(Moved::default()), Arc::new(Moved::default())];
        for (limits, passes) in [([4, 9], true), ([9, 4], true), ([3, 9], false), ([9, 3], false)] {
            let mut body = RequestBody::new(Full::from("body"));
            for (limit, watch) in limits.into_iter().zip(&watches) {
                body.limit(limit);
                body.watch(Arc::clone(watch) as _);
            }
            let collected = body.collect().await;
            assert_eq!(collected.is_ok(), passes, "{limits:?}");
            assert!(collected.err().is_none_or(|error| error.is_too_long()), "{limits:?}");
        }
        assert_eq!(watches.each_ref().map(|watch| watch.0.load(Ordering::Relaxed)), [8, 8]);
    }

    #[tokio::test]
    async fn nothing_passes_beyond_the_limit() {
        let pieces = ["12", "345", "6", ""].map(|piece| Ok::<_, BoxError>(Frame::data(Bytes::from(piece))));
        let mut body = RequestBody::new(StreamBody::new(futures_util::stream::iter(pieces)));
        body.limit(4);
        assert!(body.frame().await.unwrap().is_ok());
        for _ in 0..2 {
            assert!(body.frame().await.unwrap().unwrap_err().is_too_long());
        }
    }

    #[tokio::test]
    async fn an_error_has_its_cause() {
        let broken = futures_util::stream::iter([Err(BoxError::from("why"))]);
        let error = RequestBody::new(StreamBody::new(broken)).collect().await.unwrap_err();
        assert_eq!(error.to_string(), "the request body broke off");
        assert_eq!(error.source().unwrap().to_string(), "why");
    }
}
