use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::Method;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of a request as [`Balance`](super::Balance) sends it on: the one it was given, or none when it is sent
    /// again.
    #[derive(Debug)]
    pub struct Once<B> {
        #[pin]
        inner: Option<B>,
    }
}

impl<B> Once<B> {
    /// None.
    pub(super) fn again() -> Self {
        Self { inner: None }
    }
}

impl<B> From<B> for Once<B> {
    fn from(body: B) -> Self {
        Self { inner: Some(body) }
    }
}

impl<B: Body> Body for Once<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        match self.project().inner.as_pin_mut() {
            Some(body) => body.poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

/// RFC 9110, 9.2.2.
pub(super) fn is_idempotent(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
}
