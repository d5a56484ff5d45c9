use std::task::{Context, Poll};

use bytes::BytesMut;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request,
    header::{FORWARDED, HOST},
};
use tower::{BoxError, Layer, Service};

use super::{
    TrustedProxies, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO, X_REAL_IP, node::Node,
    original::Original,
};
use crate::{
    MissingExtension, ResponseFuture,
    conn::{ConnInfo, Scheme},
};

const HTTP: HeaderValue = HeaderValue::from_static("http");
const HTTPS: HeaderValue = HeaderValue::from_static("https");
/// The headers that this layer adds, and a few for layers behind it. A map that grows with each of them takes longer
/// than all of them together.
const ADDED: usize = 6;

/// Tells the backend who sent the request: sets `X-Forwarded-For`, `-Proto` and `-Host`, and `Forwarded` with the same
/// values.
///
/// If the peer is a trusted proxy, its address is appended to the chain that it sent, in either header. The host and
/// scheme are taken from the proxy as well, because it saw the original request. If it sent `X-Real-IP`, that becomes
/// the [`ClientAddr`](super::ClientAddr). Of several `X-Forwarded-Port` headers, one is kept. Malformed values and the
/// ports of clients are dropped.
///
/// A request from another node passes unchanged, because that node has already set everything. A request without
/// [`ConnInfo`] fails with [`MissingExtension`].
///
/// This layer replaces what untrusted clients say in the headers that it sets. For all others, such as `X-Real-IP`, put
/// a [`DistrustLayer`](super::DistrustLayer) outside it. Put it inside a
/// [`HopByHopLayer`](crate::hop_by_hop::HopByHopLayer), or `Connection: X-Forwarded-For` removes what it has set.
#[derive(Debug, Clone)]
pub struct ForwardedLayer {
    trusted: TrustedProxies,
}

impl ForwardedLayer {
    /// Trusts the headers of the proxies in `trusted`.
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
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Some(info) = request.extensions().get::<ConnInfo>() else {
            return ResponseFuture::error(MissingExtension::conn_info("ForwardedLayer"));
        };
        if !info.is_from_node() {
            let info = info.clone();
            if self.trusted.contains(info.peer().ip()) {
                let read = request.extensions_mut().remove();
                let original = read.unwrap_or_else(|| Original::read(request.headers(), &self.trusted));
                set_from_proxy(request.headers_mut(), &info, original);
            } else {
                set_from_connection(request.headers_mut(), &info);
            }
        }
        ResponseFuture::inner(self.inner.call(request))
    }
}

/// Sets what is known about a client that is not a trusted proxy.
fn set_from_connection(headers: &mut HeaderMap, info: &ConnInfo) {
    let host = headers.get(HOST).cloned();
    headers.reserve(ADDED);
    let mut forwarded = BytesMut::with_capacity(48 + info.peer_ip().len() + host.as_ref().map_or(0, HeaderValue::len));
    append_for(&mut forwarded, info.peer_ip().as_bytes(), info.peer().is_ipv6());
    append_host_and_proto(&mut forwarded, host.as_ref(), info.scheme().as_str().as_bytes());
    headers.insert(FORWARDED, value(forwarded));
    headers.insert(X_FORWARDED_FOR, info.peer_ip().clone());
    let proto = match info.scheme() {
        Scheme::Http => HTTP,
        Scheme::Https => HTTPS,
    };
    headers.insert(X_FORWARDED_PROTO, proto);
    set_or_remove(headers, X_FORWARDED_HOST, host);
}

/// Sets what a trusted proxy said about its client, and adds the proxy itself.
fn set_from_proxy(headers: &mut HeaderMap, info: &ConnInfo, original: Original) {
    let host = original.host.or_else(|| headers.get(HOST).cloned());
    let proto = original.proto.as_deref().unwrap_or(info.scheme().as_str());
    let peer = Node::Address(info.peer().ip());
    let (mut chain, mut forwarded) = (BytesMut::new(), BytesMut::new());
    for (index, node) in original.chain.iter().chain([&peer]).enumerate() {
        let text = node.to_string();
        if index > 0 {
            chain.extend_from_slice(b", ");
            forwarded.extend_from_slice(b", ");
        }
        chain.extend_from_slice(text.as_bytes());
        append_for(&mut forwarded, text.as_bytes(), node.is_ipv6());
        // Only in the first element, so that readers of the first and of the last element find the same values.
        if index == 0 {
            append_host_and_proto(&mut forwarded, host.as_ref(), proto.as_bytes());
        }
    }
    headers.insert(FORWARDED, value(forwarded));
    headers.insert(X_FORWARDED_FOR, value(chain));
    set_or_remove(headers, X_FORWARDED_PROTO, HeaderValue::from_str(proto).ok());
    set_or_remove(headers, X_FORWARDED_HOST, host);
    if headers.contains_key(X_FORWARDED_PORT) {
        set_or_remove(headers, X_FORWARDED_PORT, original.port.map(HeaderValue::from));
    }
    if headers.contains_key(X_REAL_IP) {
        let client = original.client.unwrap_or(info.peer().ip()).to_string();
        set_or_remove(headers, X_REAL_IP, HeaderValue::try_from(client).ok());
    }
}

// `Forwarded` is built by hand, because `format!` took a tenth of the instructions of a request.

fn append_for(text: &mut BytesMut, node: &[u8], is_ipv6: bool) {
    let (open, close): (&[u8], &[u8]) = if is_ipv6 { (b"for=\"[", b"]\"") } else { (b"for=", b"") };
    for part in [open, node, close] {
        text.extend_from_slice(part);
    }
}

fn append_host_and_proto(text: &mut BytesMut, host: Option<&HeaderValue>, proto: &[u8]) {
    if let Some(host) = host.map(HeaderValue::as_bytes).filter(|host| !host.is_empty()) {
        // A port or an IPv6 address has to be quoted (RFC 7239, 4). A host never contains quotes.
        let quote: &[u8] = if host.iter().any(|byte| matches!(byte, b':' | b'[')) { b"\"" } else { b"" };
        for part in [b";host=", quote, host, quote] {
            text.extend_from_slice(part);
        }
    }
    text.extend_from_slice(b";proto=");
    text.extend_from_slice(proto);
}

/// Never falls back to `unknown`: all parts are valid.
fn value(text: BytesMut) -> HeaderValue {
    HeaderValue::from_maybe_shared(text.freeze()).unwrap_or(HeaderValue::from_static("unknown"))
}

fn set_or_remove(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => drop(headers.insert(name, value)),
        None => drop(headers.remove(name)),
    }
}
