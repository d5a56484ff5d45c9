//! Trailers that frame, route or speak for somebody do not pass (RFC 9110, 6.5.1).
//!
//! ```
//! use bytes::Bytes;
//! use http::{HeaderMap, Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use pmesh_layers::trailers::TrailersLayer;
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let service = ServiceBuilder::new().layer(TrailersLayer::new()).service_fn(async |request: Request<_>| {
//!     let body = BodyExt::collect(request.into_body()).await?;
//!     let trailers = body.trailers().cloned().unwrap_or_default();
//!     Ok::<_, BoxError>(Response::new(format!("{:?}", trailers.keys().collect::<Vec<_>>())))
//! });
//! let mut trailers = HeaderMap::new();
//! trailers.insert("x-checksum", "1".parse()?);
//! trailers.insert("x-forwarded-for", "192.0.2.1".parse()?);
//! let body = Full::new(Bytes::from("body")).with_trailers(async { Some(Ok(trailers)) });
//! let response = service.oneshot(Request::new(body)).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), r#"["x-checksum"]"#);
//! # Ok(())
//! # }
//! ```

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, HeaderName, Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::framing::is_token;

/// Drops trailers that have no business there, from requests and from responses.
///
/// A backend that merges trailers into the head would take them for the proxy's word, or for another framing, another
/// host, another user.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct TrailersLayer;

impl TrailersLayer {
    /// The layer.
    pub fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for TrailersLayer {
    type Service = Trailers<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Trailers { inner }
    }
}

/// The service of [`TrailersLayer`].
#[derive(Debug, Clone)]
pub struct Trailers<S> {
    inner: S,
}

impl<S> Trailers<S> {
    inner_accessors!();
}

impl<S, B, R> Service<Request<B>> for Trailers<S>
where
    S: Service<Request<TrailersBody<B>>, Response = Response<R>>,
{
    type Response = Response<TrailersBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture { response: self.inner.call(request.map(|inner| TrailersBody { inner })) }
    }
}

pin_project! {
    /// The response future of [`Trailers`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        response: F,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<TrailersBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().response.poll(cx))?;
        Poll::Ready(Ok(response.map(|inner| TrailersBody { inner })))
    }
}

pin_project! {
    /// A body without the trailers that may not pass.
    #[derive(Debug)]
    pub struct TrailersBody<B> {
        #[pin]
        inner: B,
    }
}

impl<B: Body> Body for TrailersBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut polled = self.project().inner.poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &mut polled
            && let Some(trailers) = frame.trailers_mut()
        {
            drop_forbidden(trailers);
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

fn drop_forbidden(trailers: &mut HeaderMap) {
    let forbidden: Vec<HeaderName> =
        trailers.keys().filter(|name| !is_token(name) || is_forbidden(name.as_str())).cloned().collect();
    for name in forbidden {
        trailers.remove(name);
    }
}

/// Also for names with `_`, which CGI and its heirs read as `-`.
fn is_forbidden(name: &str) -> bool {
    let name = name.replace('_', "-");
    FORBIDDEN.contains(&&*name)
        || ["x-forwarded-", "x-pmesh-", "proxy-", "access-control-"].iter().any(|start| name.starts_with(start))
}

/// Fields that say where a message ends, where it goes, who sends it, or how its content is to be read.
const FORBIDDEN: [&str; 36] = [
    // Framing, and the fields of a hop.
    "connection",
    "content-length",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    // Routing, and what a proxy says.
    "alt-svc",
    "forwarded",
    "host",
    "location",
    "max-forwards",
    "via",
    "x-real-ip",
    "x-request-id",
    // Who asks, and what he may.
    "authorization",
    "cookie",
    "origin",
    "set-cookie",
    "strict-transport-security",
    "www-authenticate",
    // How a request is to be handled, and its answer to be kept.
    "age",
    "cache-control",
    "date",
    "expect",
    "expires",
    "if-match",
    "if-none-match",
    "pragma",
    "range",
    "retry-after",
    "vary",
    // What the content is.
    "content-encoding",
    "content-range",
    "content-security-policy",
    "content-type",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_trailer() {
        for (name, expected) in [
            ("grpc-status", false),
            ("grpc-message", false),
            ("server-timing", false),
            ("digest", false),
            ("content-digest", false),
            ("etag", false),
            ("x-checksum", false),
            ("content-length", true),
            ("content_length", true),
            ("transfer-encoding", true),
            ("host", true),
            ("forwarded", true),
            ("x-forwarded-for", true),
            ("x_forwarded-proto", true),
            ("x-real_ip", true),
            ("set-cookie", true),
            ("authorization", true),
        ] {
            assert_eq!(is_forbidden(name), expected, "{name}");
        }
    }
}
