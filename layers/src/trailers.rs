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

use http::{HeaderMap, HeaderName, Request, Response, Version};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::{
    conn::{ConnInfo, Control},
    framing::is_token,
    hop_by_hop::{Named, named},
};

/// Drops trailers that have no business there, from requests and from responses: also those that `Connection` names
/// (RFC 9110, 7.6.1), of responses where a [`HopByHopLayer`](crate::hop_by_hop::HopByHopLayer) is further in.
///
/// A backend that merges trailers into the head would take them for the proxy's word, or for another framing, another
/// host, another user.
///
/// Behind a request of HTTP/1 in chunks whose body had trailers, or had not ended when the response began, the connection
/// ends, where a [`HttpServer`](crate::serve::HttpServer) serves it: hyper takes all up to the next empty line that ends
/// with CRLF for the trailer section, and reads it to the first empty line that ends with LF. What stands between would be
/// another request for others (RFC 9112, 2.2).
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
    B: Body,
{
    type Response = Response<TrailersBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let watch = watch(&request);
        ResponseFuture { response: self.inner.call(request.map(|inner| TrailersBody { inner, watch })) }
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
        let mut response = ready!(self.project().response.poll(cx))?;
        let named = response.extensions_mut().remove();
        let watch = named.map(|Named(named)| Box::new(Watch { named, connection: None }));
        Poll::Ready(Ok(response.map(|inner| TrailersBody { inner, watch })))
    }
}

pin_project! {
    /// A body without the trailers that may not pass.
    #[derive(Debug)]
    pub struct TrailersBody<B> {
        #[pin]
        inner: B,
        // Most bodies need none.
        watch: Option<Box<Watch>>,
    }
}

/// What is kept of a message whose body may end with trailers.
#[derive(Debug)]
struct Watch {
    /// By `Connection`.
    named: Vec<HeaderName>,
    /// Hears whether the body has ended without trailers.
    connection: Option<Control>,
}

/// For a request of HTTP/1 with a body in chunks: others have no trailers, or none that are text.
fn watch<B: Body>(request: &Request<B>) -> Option<Box<Watch>> {
    let body = request.body();
    if body.is_end_stream() || request.version() >= Version::HTTP_2 || body.size_hint().exact().is_some() {
        return None;
    }
    let connection = request.extensions().get().map(ConnInfo::control).cloned();
    connection.iter().for_each(|connection| connection.traffic().set_open_ended(true));
    Some(Box::new(Watch { named: named(request.headers()), connection }))
}

impl<B: Body> Body for TrailersBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let mut polled = this.inner.poll_frame(cx);
        match &mut polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_mut() {
                    drop_forbidden(trailers);
                    if let Some(watch) = this.watch.take() {
                        watch.named.iter().for_each(|name| drop(trailers.remove(name)));
                    }
                }
            }
            Poll::Ready(None) => {
                if let Some(connection) = this.watch.take().and_then(|watch| watch.connection) {
                    connection.traffic().set_open_ended(false);
                }
            }
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
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
        || ["x-forwarded", "x-pmesh-", "proxy-", "access-control-"].iter().any(|start| name.starts_with(start))
}

/// Fields that say where a message ends, where it goes, who sends it, or how its content is to be read.
const FORBIDDEN: [&str; 45] = [
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
    "cf-connecting-ip",
    "forwarded",
    "host",
    "location",
    "max-forwards",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-http-method-override",
    "x-original-url",
    "x-real-ip",
    "x-request-id",
    "x-rewrite-url",
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
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
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
            ("x-forwarded", true),
            ("if-range", true),
            ("x_forwarded-proto", true),
            ("x-real_ip", true),
            ("set-cookie", true),
            ("authorization", true),
        ] {
            assert_eq!(is_forbidden(name), expected, "{name}");
        }
    }
}
