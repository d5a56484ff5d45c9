//! Limits the length of request bodies.
//!
//! ```
//! use bytes::Bytes;
//! use http::Request;
//! use http_body_util::{BodyExt, Full};
//! use pmesh_layers::{body::RequestBody, body_limit::{BodyLimitLayer, BodyTooLong}};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let service = ServiceBuilder::new()
//!     .layer(BodyLimitLayer::new(Some(4)))
//!     .service_fn(async |request: Request<RequestBody>| request.into_body().collect().await);
//! assert_eq!(service.clone().oneshot(Request::new(Full::from("four"))).await?.to_bytes(), "four");
//! let error = service.oneshot(Request::new(Full::from("three"))).await.unwrap_err();
//! assert_eq!(error.downcast_ref(), Some(&BodyTooLong));
//! # Ok(())
//! # }
//! ```

use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::Body;
use tower::{BoxError, Layer, Service};

pub use crate::body::BodyTooLong;
use crate::{ResponseFuture, body::RequestBody};

/// Limits the length of request bodies.
///
/// A request that declares a longer body fails with [`BodyTooLong`] (413; RFC 9110, 15.5.14) before the inner service
/// sees it. Any other body fails once it exceeds the limit, with a [`RequestBodyError`](crate::body::RequestBodyError)
/// whose source is [`BodyTooLong`]. The inner service then fails too, and a backend sees an aborted request.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimitLayer {
    limit: Option<u64>,
}

impl BodyLimitLayer {
    /// Creates a layer that limits bodies to `limit` bytes. `None` means no limit.
    pub fn new(limit: Option<u64>) -> Self {
        Self { limit }
    }
}

impl<S> Layer<S> for BodyLimitLayer {
    type Service = BodyLimit<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BodyLimit { inner, limit: self.limit }
    }
}

/// The service of [`BodyLimitLayer`].
#[derive(Debug, Clone)]
pub struct BodyLimit<S> {
    inner: S,
    limit: Option<u64>,
}

impl<S> BodyLimit<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for BodyLimit<S>
where
    S: Service<Request<RequestBody>>,
    S::Error: Into<BoxError>,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let left = self.limit.unwrap_or(u64::MAX);
        // The length that the request declares. If it declares none, the lower bound is 0.
        if request.body().size_hint().lower() > left {
            return ResponseFuture::error(BodyTooLong);
        }
        let (parts, body) = request.into_parts();
        let mut body = RequestBody::new(body);
        body.limit(left);
        ResponseFuture::inner(self.inner.call(Request::from_parts(parts, body)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::body::RequestBodyError;
    use http_body::Frame;
    use http_body_util::{BodyExt, Full, StreamBody};
    use tower::{ServiceBuilder, ServiceExt};

    fn in_pieces(pieces: &[&'static str]) -> impl Body<Data = Bytes, Error = std::convert::Infallible> + use<> {
        let frames: Vec<_> = pieces.iter().map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes())))).collect();
        StreamBody::new(futures_util::stream::iter(frames))
    }

    fn is_too_long(error: &BoxError) -> bool {
        error.downcast_ref().is_some_and(RequestBodyError::is_too_long)
    }

    #[tokio::test]
    async fn a_declared_length_above_the_limit_fails_before_the_inner_service() {
        let seen = AtomicBool::new(false);
        let service = ServiceBuilder::new().layer(BodyLimitLayer::new(Some(4))).service_fn(async |_: Request<_>| {
            seen.store(true, Ordering::Relaxed);
            Ok::<_, BoxError>(())
        });
        let error = service.oneshot(Request::new(Full::<Bytes>::from("12345"))).await.unwrap_err();
        assert!(error.is::<BodyTooLong>());
        assert!(!seen.load(Ordering::Relaxed));
    }

    #[tokio::test]
    async fn a_body_of_unknown_length_fails_when_it_exceeds_the_limit() {
        for (pieces, limit, allowed) in [
            (&["12", "34"][..], Some(4), true),
            (&["12", "34", "5"], Some(4), false),
            (&["12345"], Some(4), false),
            (&["1"], Some(0), false),
            (&[], Some(0), true),
            (&["12", "34", "5"], None, true),
        ] {
            let collect = async |request: Request<_>| {
                let request: Request<RequestBody> = request;
                Ok::<_, BoxError>(request.into_body().collect().await?.to_bytes().len())
            };
            let service = ServiceBuilder::new().layer(BodyLimitLayer::new(limit)).service_fn(collect);
            match service.oneshot(Request::new(in_pieces(pieces))).await {
                Ok(length) => assert!(allowed && length == pieces.concat().len(), "{pieces:?}"),
                Err(error) => assert!(!allowed && is_too_long(&error), "{pieces:?}"),
            }
        }
    }
}
