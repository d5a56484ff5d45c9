use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http::{Method, Request};
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

/// A copy of a request without a body. Extensions are left out.
pub(super) fn copy<B: Body>(request: &Request<Once<B>>) -> Option<Request<Once<B>>> {
    if !request.body().is_end_stream() {
        return None;
    }
    let mut copy = Request::new(Once { inner: None });
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::Full;

    #[test]
    fn only_requests_without_a_body_are_copied() {
        for (method, body, expected) in [("GET", "", true), ("PUT", "x", false), ("POST", "", true)] {
            let request = Request::builder()
                .method(method)
                .uri("/path")
                .header("a", "b")
                .body(Once::from(Full::new(bytes::Bytes::from_static(body.as_bytes()))))
                .unwrap();
            let copy = copy(&request);
            assert_eq!(copy.is_some(), expected, "{method} {body}");
            if let Some(copy) = copy {
                assert_eq!((copy.uri(), copy.headers()), (request.uri(), request.headers()));
            }
        }
    }
}
