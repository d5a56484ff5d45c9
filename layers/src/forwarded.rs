//! Who asked, and how: `Forwarded` (RFC 7239) and `X-Forwarded-For`, `-Proto` and `-Host`.
//!
//! ```
//! use http::{Request, Response};
//! use pmesh_layers::{conn::ConnInfo, forwarded::{ForwardedLayer, TrustedProxies}};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let service = ServiceBuilder::new().layer(ForwardedLayer::new(TrustedProxies::none())).service_fn(
//!     async |request: Request<()>| Ok::<_, BoxError>(request.headers()["x-forwarded-for"].clone()),
//! );
//! let request = Request::get("/")
//!     .header("x-forwarded-for", "10.0.0.1")
//!     .extension(ConnInfo::plain(([192, 0, 2, 1], 40000).into()))
//!     .body(())?;
//! assert_eq!(service.oneshot(request).await?, "192.0.2.1");
//! # Ok(())
//! # }
//! ```

use std::{
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::BytesMut;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request,
    header::{Entry, FORWARDED, HOST},
};
use ipnet::IpNet;
use tower::{Layer, Service};

use crate::conn::{ConnInfo, Scheme};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HTTP: HeaderValue = HeaderValue::from_static("http");
const HTTPS: HeaderValue = HeaderValue::from_static("https");

/// The networks whose word on the original client is believed. Cloning counts a reference.
#[derive(Debug, Clone)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl TrustedProxies {
    /// These networks.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Nobody.
    pub fn none() -> Self {
        Self::new([])
    }

    /// Whether `address` lies in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// Removes what a client says of itself in forwarding fields, unless it is a trusted proxy.
///
/// These are `Forwarded`, all `X-Forwarded-*`, `X-Real-IP` and `X-Request-ID`, also written with `_` for `-`, which CGI and
/// its heirs read alike. Stands outside of the layers that set them. A request without [`ConnInfo`] is not trusted; one
/// of another node is, as that has done all this for its client.
///
/// ```
/// use http::{Request, Response};
/// use pmesh_layers::{conn::ConnInfo, forwarded::{DistrustLayer, TrustedProxies}};
/// use tower::{BoxError, ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let trusted = TrustedProxies::new(["10.0.0.0/8".parse()?]);
/// let service = ServiceBuilder::new().layer(DistrustLayer::new(trusted)).service_fn(
///     async |request: Request<()>| Ok::<_, BoxError>(request.headers().contains_key("x-real-ip")),
/// );
/// for (peer, believed) in [([10, 0, 0, 1], true), ([192, 0, 2, 1], false)] {
///     let request = Request::get("/")
///         .header("x-real-ip", "198.51.100.1")
///         .extension(ConnInfo::plain((peer, 40000).into()))
///         .body(())?;
///     assert_eq!(service.clone().oneshot(request).await?, believed);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct DistrustLayer {
    trusted: TrustedProxies,
}

impl DistrustLayer {
    /// Believes the `trusted`.
    pub fn new(trusted: TrustedProxies) -> Self {
        Self { trusted }
    }
}

impl<S> Layer<S> for DistrustLayer {
    type Service = Distrust<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Distrust { inner, trusted: self.trusted.clone() }
    }
}

/// The service of [`DistrustLayer`].
#[derive(Debug, Clone)]
pub struct Distrust<S> {
    inner: S,
    trusted: TrustedProxies,
}

impl<S> Distrust<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for Distrust<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let trusted = is_trusted(&request, &self.trusted);
        let claims: Vec<_> =
            request.headers().keys().filter(|name| is_claim(name.as_str(), trusted)).cloned().collect();
        for name in claims {
            request.headers_mut().remove(name);
        }
        self.inner.call(request)
    }
}

/// Whether a field is to be removed. Aliases with `_` are nobody's word: a proxy that is trusted writes `-`.
fn is_claim(name: &str, trusted: bool) -> bool {
    if !matches!(name.as_bytes(), [b'x', b'-' | b'_', b'f' | b'r', ..]) && name != "forwarded" {
        return false;
    }
    let alias = name.contains('_');
    let dashed = |plain: &str| {
        name.len() == plain.len() && name.bytes().zip(plain.bytes()).all(|(a, b)| a == b || (a == b'_' && b == b'-'))
    };
    let claims = name == "forwarded"
        || dashed("x-real-ip")
        || dashed("x-request-id")
        || name.get(.."x-forwarded-".len()).is_some_and(|start| start.replace('_', "-") == "x-forwarded-");
    claims && (alias || !trusted)
}

fn is_trusted<B>(request: &Request<B>, trusted: &TrustedProxies) -> bool {
    let is_trusted = |info: &ConnInfo| info.peer_node().is_some() || trusted.contains(info.peer().ip());
    request.extensions().get().is_some_and(is_trusted)
}

/// Tells the backend who asked: sets the forwarding fields, or adds to those of a trusted proxy.
///
/// The client is added to `X-Forwarded-For` and `Forwarded`. `X-Forwarded-Proto` and `X-Forwarded-Host` of a trusted
/// proxy are kept: it saw the original request. A request without [`ConnInfo`] passes unchanged, and so does one of
/// another node, which has told all there is to tell. What else a client says of itself, as in `X-Real-IP`, is for a
/// [`DistrustLayer`] to remove, outside of this one.
#[derive(Debug, Clone)]
pub struct ForwardedLayer {
    trusted: TrustedProxies,
}

impl ForwardedLayer {
    /// Believes the `trusted`.
    pub fn new(trusted: TrustedProxies) -> Self {
        Self { trusted }
    }
}

impl<S> Layer<S> for ForwardedLayer {
    type Service = Forwarded<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Forwarded { inner, trusted: self.trusted.clone() }
    }
}

/// The service of [`ForwardedLayer`].
#[derive(Debug, Clone)]
pub struct Forwarded<S> {
    inner: S,
    trusted: TrustedProxies,
}

impl<S> Forwarded<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for Forwarded<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let info = request.extensions().get::<ConnInfo>().filter(|info| info.peer_node().is_none());
        if let Some(info) = info.cloned() {
            let trusted = self.trusted.contains(info.peer().ip());
            set(request.headers_mut(), &info, trusted);
        }
        self.inner.call(request)
    }
}

fn set(headers: &mut HeaderMap, info: &ConnInfo, trusted: bool) {
    let client = info.peer_ip();
    let host = headers.get(HOST).cloned();
    let proto = match info.scheme() {
        Scheme::Http => HTTP,
        Scheme::Https => HTTPS,
    };
    let forwarded = forwarded(headers, info, host.as_ref(), trusted);
    headers.insert(FORWARDED, forwarded);
    let chain = if trusted { joined(headers, &X_FORWARDED_FOR, client) } else { client.clone() };
    headers.insert(X_FORWARDED_FOR, chain);
    put(headers, X_FORWARDED_PROTO, proto, trusted);
    if let Some(host) = host {
        put(headers, X_FORWARDED_HOST, host, trusted);
    }
}

/// The lines that a trusted proxy has sent, and an element of our own. Put together by hand: `format!` was a tenth of
/// the instructions of a request.
fn forwarded(headers: &HeaderMap, info: &ConnInfo, host: Option<&HeaderValue>, trusted: bool) -> HeaderValue {
    let host = host.map_or(&b""[..], HeaderValue::as_bytes);
    let mut text = BytesMut::with_capacity(48 + info.peer_ip().len() + host.len());
    if trusted {
        append_lines(&mut text, headers, &FORWARDED);
    }
    let (open, close): (&[u8], &[u8]) = if info.peer().is_ipv6() { (b"for=\"[", b"]\"") } else { (b"for=", b"") };
    for part in [open, info.peer_ip().as_bytes(), close] {
        text.extend_from_slice(part);
    }
    if !host.is_empty() {
        // Quoted where a port or an IPv6 address makes it no token (RFC 7239, 4); a host has no quotes of its own.
        let quote: &[u8] = if host.iter().any(|byte| matches!(byte, b':' | b'[')) { b"\"" } else { b"" };
        for part in [b";host=", quote, host, quote] {
            text.extend_from_slice(part);
        }
    }
    text.extend_from_slice(b";proto=");
    text.extend_from_slice(info.scheme().as_str().as_bytes());
    value(text)
}

/// The lines of a field that a trusted proxy has sent, and `last`.
fn joined(headers: &HeaderMap, name: &HeaderName, last: &HeaderValue) -> HeaderValue {
    let mut text = BytesMut::new();
    append_lines(&mut text, headers, name);
    text.extend_from_slice(last.as_bytes());
    value(text)
}

fn append_lines(text: &mut BytesMut, headers: &HeaderMap, name: &HeaderName) {
    for line in headers.get_all(name) {
        text.extend_from_slice(line.as_bytes());
        text.extend_from_slice(b", ");
    }
}

/// Parts of valid values are valid together.
fn value(text: BytesMut) -> HeaderValue {
    HeaderValue::from_maybe_shared(text.freeze()).unwrap_or(HeaderValue::from_static("unknown"))
}

/// Puts `value` in, unless a trusted proxy has said it before.
fn put(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue, trusted: bool) {
    match headers.entry(name) {
        Entry::Occupied(_) if trusted => {}
        Entry::Occupied(mut entry) => drop(entry.insert(value)),
        Entry::Vacant(entry) => drop(entry.insert(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tower::{ServiceBuilder, ServiceExt};

    async fn forwarded(peer: &str, trusted: &str, fields: &[(&'static str, &'static str)]) -> Vec<String> {
        passed_on(ConnInfo::plain((peer.parse::<IpAddr>().unwrap(), 40000).into()), trusted, fields).await
    }

    async fn passed_on(info: ConnInfo, trusted: &str, fields: &[(&'static str, &'static str)]) -> Vec<String> {
        let trusted = TrustedProxies::new(trusted.parse());
        let service = ServiceBuilder::new()
            .layer(DistrustLayer::new(trusted.clone()))
            .layer(ForwardedLayer::new(trusted))
            .service_fn(async |request: Request<()>| Ok::<_, std::convert::Infallible>(request.into_parts().0.headers));
        let mut request = Request::get("/").extension(info).body(()).unwrap();
        for (name, value) in fields {
            request.headers_mut().append(*name, HeaderValue::from_static(value));
        }
        let headers = service.oneshot(request).await.unwrap();
        let mut lines: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort_unstable();
        lines
    }

    #[tokio::test]
    async fn strangers_are_not_believed() {
        let fields = [
            ("host", "example.com:8080"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil"),
            ("x-forwarded-port", "1"),
            ("x_forwarded_for", "10.0.0.1"),
            ("x-forwarded_for", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
            ("x-real-ip", "10.0.0.1"),
            ("x-request-id", "1"),
            ("x-fine", "1"),
        ];
        assert_eq!(
            forwarded("2001:db8::1", "10.0.0.0/8", &fields).await,
            [
                "forwarded: for=\"[2001:db8::1]\";host=\"example.com:8080\";proto=http",
                "host: example.com:8080",
                "x-fine: 1",
                "x-forwarded-for: 2001:db8::1",
                "x-forwarded-host: example.com:8080",
                "x-forwarded-proto: http",
            ]
        );
    }

    #[tokio::test]
    async fn a_trusted_proxy_is_added_to() {
        let fields = [
            ("host", "example.com"),
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-for", "192.0.2.8, 192.0.2.9"),
            ("x-forwarded-proto", "https"),
            ("x_forwarded_proto", "evil"),
            ("forwarded", "for=192.0.2.7;proto=https"),
            ("x-request-id", "1"),
        ];
        assert_eq!(
            forwarded("::ffff:10.1.1.1", "10.0.0.0/8", &fields).await,
            [
                "forwarded: for=192.0.2.7;proto=https, for=10.1.1.1;host=example.com;proto=http",
                "host: example.com",
                "x-forwarded-for: 192.0.2.7, 192.0.2.8, 192.0.2.9, 10.1.1.1",
                "x-forwarded-host: example.com",
                "x-forwarded-proto: https",
                "x-request-id: 1",
            ]
        );
    }

    #[tokio::test]
    async fn what_another_node_says_is_kept_as_it_is() {
        let fields = [
            ("forwarded", "for=192.0.2.7;proto=http"),
            ("host", "example.com"),
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-host", "example.com:80"),
            ("x-forwarded-proto", "http"),
            ("x-request-id", "1"),
        ];
        let info = ConnInfo::node(([10, 0, 0, 1], 40000).into(), "berlin".parse().unwrap());
        let mut evil = fields.to_vec();
        evil.push(("x_forwarded_for", "10.0.0.1"));
        let expected: Vec<_> = fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(passed_on(info, "192.0.2.0/24", &evil).await, expected);
    }
}
