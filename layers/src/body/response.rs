use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tower::BoxError;

use super::{ResponseBodyError, WatchResponse, other::Other};
#[cfg(feature = "client")]
use crate::pool::PooledBody;
use crate::{any::as_is, trailers::TrailerFilter};

/// The body of a response, from any source.
///
/// A body from a [`Pool`](crate::pool::Pool) returns its connection to the pool once it has been read to the end.
/// Dropping it earlier closes the connection, or the stream over HTTP/2.
#[derive(Debug, Default)]
pub struct ResponseBody(Option<Box<Present>>);

/// A body that is not known to be empty. Boxed, because every layer moves its response.
#[derive(Debug)]
struct Present {
    kind: Kind,
    trailers: TrailerFilter,
    watch: Option<(Arc<dyn WatchResponse>, u64)>,
}

#[derive(Debug)]
enum Kind {
    /// Empty once it has been read.
    Full(Bytes),
    #[cfg(feature = "client")]
    Pooled(PooledBody),
    Other(Other<ResponseBodyError>),
}

impl ResponseBody {
    /// Creates an empty body.
    pub fn empty() -> Self {
        Self(None)
    }

    /// Boxes any body. A `ResponseBody` is returned unchanged.
    pub fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        as_is(body).unwrap_or_else(|body| Self::from_kind(Kind::Other(Other::new(body, ResponseBodyError::other))))
    }

    #[cfg(feature = "client")]
    pub(crate) fn pooled(body: PooledBody) -> Self {
        Self::from_kind(Kind::Pooled(body))
    }

    fn from_kind(kind: Kind) -> Self {
        Self(Some(Box::new(Present { kind, trailers: TrailerFilter::PassAll, watch: None })))
    }

    /// Filters trailers.
    pub(crate) fn filter_trailers(&mut self, filter: TrailerFilter) {
        self.act(|body| body.trailers.passes_all(), |body| body.trailers = filter);
    }

    /// Calls `watch` with `mark` if the body breaks off.
    pub(crate) fn watch(&mut self, watch: Arc<dyn WatchResponse>, mark: u64) {
        self.act(|body| body.watch.is_none(), |body| body.watch = Some((watch, mark)));
    }

    /// Acts on the body if it has room for that, otherwise on a new body around it.
    fn act(&mut self, has_room: impl FnOnce(&Present) -> bool, act: impl FnOnce(&mut Present)) {
        if self.0.as_ref().is_some_and(|body| !has_room(body)) {
            let inner = std::mem::take(self);
            *self = Self::from_kind(Kind::Other(Other::new(inner, ResponseBodyError::other)));
        }
        self.0.as_deref_mut().map(act);
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::empty() } else { Self::from_kind(Kind::Full(bytes)) }
    }
}

impl From<String> for ResponseBody {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static str> for ResponseBody {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ResponseBodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ResponseBodyError>>> {
        let Some(body) = &mut self.get_mut().0 else { return Poll::Ready(None) };
        let mut polled = match &mut body.kind {
            Kind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                Poll::Ready((!bytes.is_empty()).then(|| Ok(Frame::data(bytes))))
            }
            #[cfg(feature = "client")]
            Kind::Pooled(body) => Pin::new(body).poll_frame(cx),
            Kind::Other(body) => body.poll_frame(cx),
        };
        body.trailers.filter(&mut polled);
        if let Poll::Ready(Some(Err(error))) = &polled
            && let Some((watch, mark)) = body.watch.take()
        {
            watch.broke_off(mark, error);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match self.0.as_ref().map(|body| &body.kind) {
            None => true,
            Some(Kind::Full(bytes)) => bytes.is_empty(),
            #[cfg(feature = "client")]
            Some(Kind::Pooled(body)) => body.is_end_stream(),
            Some(Kind::Other(body)) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self.0.as_ref().map(|body| &body.kind) {
            None => SizeHint::with_exact(0),
            Some(Kind::Full(bytes)) => SizeHint::with_exact(bytes.len() as u64),
            #[cfg(feature = "client")]
            Some(Kind::Pooled(body)) => body.size_hint(),
            Some(Kind::Other(body)) => body.size_hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};

    use super::*;

    #[tokio::test]
    async fn bytes_and_text_become_a_body() {
        for (body, expected) in [
            (ResponseBody::empty(), ""),
            (ResponseBody::from(""), ""),
            (ResponseBody::from("text"), "text"),
            (ResponseBody::from(String::from("text")), "text"),
            (ResponseBody::new(Full::from("text")), "text"),
        ] {
            assert_eq!(body.is_end_stream(), expected.is_empty());
            assert_eq!(body.size_hint().exact(), Some(expected.len() as u64));
            assert_eq!(body.collect().await.unwrap().to_bytes(), expected);
        }
    }

    #[test]
    fn a_response_body_is_not_boxed_again() {
        let body = ResponseBody::new(ResponseBody::from("text"));
        assert!(matches!(body.0.unwrap().kind, Kind::Full(_)));
    }
}
