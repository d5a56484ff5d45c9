//! The bodies of requests and of responses.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pmesh_layers::{
    balance::{BalancedBody, Once},
    body::RequestBody,
    body_limit::LimitedBody,
    pool::{BodyError, PooledBody},
    response_timeout::WatchedBody,
    trailers::TrailersBody,
};

/// The body of a request on its way to a backend.
pub type ForwardedBody = WatchedBody<Once<LimitedBody<TrailersBody<RequestBody>>>>;

/// The body of a backend's response.
pub type UpstreamBody = BalancedBody<PooledBody<ForwardedBody>>;

/// The body of a response.
#[derive(Debug)]
pub enum ResponseBody {
    /// A backend's.
    Upstream(TrailersBody<UpstreamBody>),
    /// Our own, once.
    Text(Option<Bytes>),
}

impl ResponseBody {
    /// A short text.
    pub fn text(text: impl Into<Bytes>) -> Self {
        Self::Text(Some(text.into()))
    }
}

impl From<TrailersBody<UpstreamBody>> for ResponseBody {
    fn from(body: TrailersBody<UpstreamBody>) -> Self {
        Self::Upstream(body)
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Upstream(body) => Pin::new(body).poll_frame(cx),
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Upstream(body) => body.is_end_stream(),
            Self::Text(text) => text.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Upstream(body) => body.size_hint(),
            Self::Text(text) => SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64)),
        }
    }
}
