//! Removes headers that are meant for a single connection (RFC 9110, 7.6.1).
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Empty;
//! use pmesh_layers::hop_by_hop::HopByHopLayer;
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let service = ServiceBuilder::new().layer(HopByHopLayer::new()).service_fn(async |request: Request<Empty<Bytes>>| {
//!     assert!(!request.headers().contains_key("x-internal"));
//!     Ok::<_, BoxError>(Response::new(()))
//! });
//! let request = Request::get("/").header("connection", "X-Internal").header("x-internal", "1").body(Empty::new())?;
//! service.oneshot(request).await?;
//! # Ok(())
//! # }
//! ```

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Version,
    header::{
        CONNECTION, CONTENT_LENGTH, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
    },
};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
/// Headers that are always meant for one hop, even if `Connection` does not name them.
static ALWAYS: [HeaderName; 8] =
    [CONNECTION, KEEP_ALIVE, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, PROXY_CONNECTION, TE, TRANSFER_ENCODING, UPGRADE];

/// Removes hop-by-hop headers from requests and responses: all headers that `Connection` names, and a few others, such as
/// `Keep-Alive` and `Transfer-Encoding`.
///
/// Two are passed on: `TE: trailers`, and `Upgrade`, in a request without a body and in a 101 or 426 response. A request's
/// `Upgrade` to another version of HTTP or to TLS is removed, because it would hide later requests from the proxy.
#[derive(Debug, Clone)]
pub struct HopByHopLayer {
    protected: Arc<[HeaderName]>,
}

impl Default for HopByHopLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl HopByHopLayer {
    /// Creates the layer. `Connection` can remove any header except `Host` and `Content-Length`.
    pub fn new() -> Self {
        Self { protected: Arc::new([HOST, CONTENT_LENGTH]) }
    }

    /// Keeps `field`, a header that an outer layer sets, even if a client's `Connection` names it.
    #[must_use]
    pub fn protect(self, field: HeaderName) -> Self {
        Self { protected: self.protected.iter().cloned().chain([field]).collect() }
    }
}

impl<S> Layer<S> for HopByHopLayer {
    type Service = HopByHop<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HopByHop { inner, protected: Arc::clone(&self.protected) }
    }
}

/// The service of [`HopByHopLayer`].
#[derive(Debug, Clone)]
pub struct HopByHop<S> {
    inner: S,
    protected: Arc<[HeaderName]>,
}

impl<S> HopByHop<S> {
    inner_accessors!();
}

impl<S, B, R> Service<Request<B>> for HopByHop<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    B: Body,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let found = Found::among(request.headers());
        let upgrade = if found.has(Found::UPGRADE) { passable_upgrade(&request) } else { None };
        let trailers = found.has(Found::TE) && has_token(request.headers(), &TE, "trailers");
        let headers = request.headers_mut();
        remove(headers, found, &self.protected);
        if let Some(protocol) = upgrade {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, protocol);
        }
        if trailers {
            headers.append(CONNECTION, HeaderValue::from_static("te"));
            headers.insert(TE, HeaderValue::from_static("trailers"));
        }
        ResponseFuture { response: self.inner.call(request) }
    }
}

pin_project! {
    /// The response future of [`HopByHop`].
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
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut response = ready!(self.project().response.poll(cx))?;
        let switching = matches!(response.status(), StatusCode::SWITCHING_PROTOCOLS | StatusCode::UPGRADE_REQUIRED);
        let headers = response.headers_mut();
        let found = Found::among(headers);
        let named = if found.has(Found::CONNECTION) { named(headers) } else { Vec::new() };
        let upgrade = if switching { headers.remove(UPGRADE) } else { None };
        remove(headers, found, &[CONTENT_LENGTH]);
        if let Some(protocol) = upgrade {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, protocol);
        }
        if !named.is_empty() {
            response.extensions_mut().insert(Named(named));
        }
        Poll::Ready(Ok(response))
    }
}

/// The names in the `Connection` of a response, for [`TrailersLayer`](crate::trailers::TrailersLayer), which no longer
/// sees the header itself.
#[derive(Debug, Clone)]
pub(crate) struct Named(pub(crate) Vec<HeaderName>);

/// The names in `Connection`, except for the usual ones, which are never allowed as trailers anyway.
pub(crate) fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    let usual = ["close", "keep-alive", "te", "upgrade"];
    let is_usual = |token: &&[u8]| usual.iter().any(|usual| token.eq_ignore_ascii_case(usual.as_bytes()));
    let tokens = headers.get_all(CONNECTION).iter().flat_map(tokens);
    tokens.filter(|token| !is_usual(token)).filter_map(|token| HeaderName::from_bytes(token).ok()).collect()
}

/// Which headers of [`ALWAYS`] a message has, with a bit for each. Most messages have one or none. Checking each name of
/// the message is cheaper than looking up each header of the list.
#[derive(Debug, Clone, Copy)]
struct Found(u8);

impl Found {
    const CONNECTION: u8 = 1;
    const TE: u8 = 1 << 5;
    const UPGRADE: u8 = 1 << 7;

    fn among(headers: &HeaderMap) -> Self {
        let fields = headers.keys().filter(|name| may_be_hop_by_hop(name));
        Self(fields.map(Self::bit).fold(0, |found, bit| found | bit))
    }

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    fn bit(name: &HeaderName) -> u8 {
        ALWAYS.iter().position(|other| other == name).map_or(0, |index| 1 << index)
    }
}

fn remove(headers: &mut HeaderMap, found: Found, protected: &[HeaderName]) {
    // `Connection` can name itself, so take its lines out first.
    if found.has(Found::CONNECTION) {
        let mut lines = headers.get_all(CONNECTION).iter().cloned();
        // More than one line is rare, and allocates.
        let (first, more) = (lines.next(), lines.collect::<Vec<_>>());
        headers.remove(CONNECTION);
        // Most lines say `keep-alive`, which is removed below.
        let lines = first.iter().chain(&more).filter(|line| !line.as_bytes().eq_ignore_ascii_case(b"keep-alive"));
        for token in lines.flat_map(tokens) {
            if let Ok(name) = HeaderName::from_bytes(token)
                && !protected.contains(&name)
            {
                headers.remove(name);
            }
        }
    }
    for (index, name) in ALWAYS.iter().enumerate() {
        if found.has(1 << index) {
            headers.remove(name);
        }
    }
}

/// Whether a header may be one of [`ALWAYS`], judging by its first letters.
fn may_be_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str().as_bytes(),
        [b'c', b'o', b'n', b'n', ..] | [b'k' | b't', ..] | [b'p', b'r', ..] | [b'u', b'p', ..]
    )
}

/// The `Upgrade` to pass on.
fn passable_upgrade<B: Body>(request: &Request<B>) -> Option<HeaderValue> {
    let headers = request.headers();
    let mut upgrades = headers.get_all(UPGRADE).iter();
    let protocols = upgrades.next()?;
    let alone = upgrades.next().is_none();
    // HTTP/2 has no such header (RFC 9113, 8.2.2). If there is one, an `ExtendedConnectLayer` has added it.
    let passable = alone
        && request.version() >= Version::HTTP_11
        && request.body().is_end_stream()
        && has_token(headers, &CONNECTION, "upgrade")
        && tokens(protocols).all(|protocol| !is_transport(protocol));
    passable.then(|| protocols.clone())
}

/// Whether a connection that switches to `protocol` would carry HTTP again or hide its content. Clients could use it to
/// smuggle requests, as with `Upgrade: h2c`.
pub(crate) fn is_transport(protocol: &[u8]) -> bool {
    let name = protocol.split(|byte| *byte == b'/').next().unwrap_or_default();
    protocol.is_empty()
        || ["h2", "h2c", "h3", "http", "tls"].iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes()))
}

pub(crate) fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers.get_all(name).iter().flat_map(tokens).any(|other| other.eq_ignore_ascii_case(token.as_bytes()))
}

/// The elements of a comma-separated list, trimmed.
pub(crate) fn tokens(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{Empty, Full};
    use tower::{ServiceExt, service_fn};

    async fn passed_on<B: Body + Send + 'static>(request: Request<B>) -> HeaderMap {
        let inner = service_fn(async |request: Request<B>| {
            Ok::<_, std::convert::Infallible>(Response::new(request.into_parts().0.headers))
        });
        let layer = HopByHopLayer::new().protect(HeaderName::from_static("x-request-id"));
        layer.layer(inner).oneshot(request).await.unwrap().into_body()
    }

    fn with(fields: &[(&'static str, &'static str)]) -> Request<Empty<&'static [u8]>> {
        let mut request = Request::new(Empty::new());
        for (name, value) in fields {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        request
    }

    #[tokio::test]
    async fn named_headers_are_removed_and_protected_ones_are_kept() {
        let headers = passed_on(with(&[
            ("connection", "close, X-A"),
            ("connection", "x-b , X-Request-Id, host, content-length, connection,, ="),
            ("x-a", "1"),
            ("x-b", "1"),
            ("x-c", "1"),
            ("x-request-id", "1"),
            ("host", "h"),
            ("content-length", "0"),
            ("keep-alive", "1"),
            ("proxy-connection", "1"),
            ("proxy-authorization", "1"),
            ("transfer-encoding", "chunked"),
            ("te", "gzip"),
        ]))
        .await;
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "host", "x-c", "x-request-id"]);
    }

    #[test]
    fn every_hop_by_hop_header_is_recognised() {
        assert!(ALWAYS.iter().all(may_be_hop_by_hop));
        for (name, bit) in [(CONNECTION, Found::CONNECTION), (TE, Found::TE), (UPGRADE, Found::UPGRADE)] {
            assert_eq!(Found::bit(&name), bit);
        }
    }

    #[tokio::test]
    async fn te_trailers_is_kept() {
        let headers = passed_on(with(&[("te", "gzip, trailers"), ("connection", "te")])).await;
        assert_eq!(
            (&headers[TE], &headers[CONNECTION]),
            (&HeaderValue::from_static("trailers"), &HeaderValue::from_static("te"))
        );
    }

    #[tokio::test]
    async fn upgrades_pass_unless_they_hide_later_requests() {
        for (protocol, expected) in [
            ("websocket", true),
            ("foo/1, bar", true),
            ("h2c", false),
            ("H2C, websocket", false),
            ("HTTP/2.0", false),
            ("TLS/1.2", false),
            ("", false),
        ] {
            let headers = passed_on(with(&[("connection", "Upgrade"), ("upgrade", protocol)])).await;
            assert_eq!(headers.contains_key(UPGRADE), expected, "{protocol}");
            assert_eq!(headers.contains_key(CONNECTION), expected, "{protocol}");
        }
        assert!(passed_on(with(&[("upgrade", "websocket")])).await.is_empty());
        let mut with_body = Request::new(Full::new(&b"x"[..]));
        with_body.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
        with_body.headers_mut().insert(UPGRADE, HeaderValue::from_static("websocket"));
        assert!(passed_on(with_body).await.is_empty());
    }

    #[tokio::test]
    async fn hop_by_hop_headers_are_removed_from_responses() {
        for (status, expected) in [(200, false), (101, true), (426, true)] {
            let inner = service_fn(move |_: Request<Empty<&'static [u8]>>| {
                std::future::ready(
                    Response::builder()
                        .status(status)
                        .header(CONNECTION, "upgrade, x-a")
                        .header(UPGRADE, "websocket")
                        .header("x-a", "1")
                        .header(KEEP_ALIVE, "1")
                        .body(()),
                )
            });
            let response = HopByHopLayer::new().layer(inner).oneshot(with(&[])).await.unwrap();
            assert_eq!(response.headers().len(), if expected { 2 } else { 0 }, "{status}");
            assert_eq!(response.headers().contains_key(UPGRADE), expected, "{status}");
        }
    }
}
