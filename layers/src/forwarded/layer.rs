use std::task::{Context, Poll};

use bytes::BytesMut;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request,
    header::{FORWARDED, HOST},
};
use tower::{Layer, Service};

use super::{TrustedProxies, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, X_REAL_IP, node::Node, told::Told};
use crate::conn::{ConnInfo, Scheme};

const HTTP: HeaderValue = HeaderValue::from_static("http");
const HTTPS: HeaderValue = HeaderValue::from_static("https");

/// Tells the backend who asked: sets `X-Forwarded-For`, `-Proto` and `-Host`, and `Forwarded`, which say the same.
///
/// The client is added to the chain that a trusted proxy tells, whichever of the two it tells it in. So is an
/// `X-Real-IP` of such a proxy made to agree: it becomes the last address of the chain that is not of a trusted proxy. What
/// host and scheme this client has asked for is the proxy's word, too: it saw the original request. What is malformed is
/// dropped, and so are ports of clients.
///
/// A request without [`ConnInfo`] passes unchanged, and so does one of another node, which has told all there is to tell.
/// What else a client says of itself, as in `X-Real-IP`, is for a [`DistrustLayer`](super::DistrustLayer) to remove,
/// outside of this one.
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
            if self.trusted.contains(info.peer().ip()) {
                set_told(request.headers_mut(), &info, &self.trusted);
            } else {
                set_own(request.headers_mut(), &info);
            }
        }
        self.inner.call(request)
    }
}

/// What is known of a client that nobody speaks for.
fn set_own(headers: &mut HeaderMap, info: &ConnInfo) {
    let host = headers.get(HOST).cloned();
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

/// What a trusted proxy tells of its client, and that it was this proxy.
fn set_told(headers: &mut HeaderMap, info: &ConnInfo, trusted: &TrustedProxies) {
    let told = Told::read(headers, trusted);
    let host = told.host.or_else(|| headers.get(HOST).cloned());
    let proto = told.proto.as_deref().unwrap_or(info.scheme().as_str());
    let peer = Node::Address(info.peer().ip());
    let (mut chain, mut forwarded) = (BytesMut::new(), BytesMut::new());
    for (index, node) in told.chain.iter().chain([&peer]).enumerate() {
        let text = node.to_string();
        if index > 0 {
            chain.extend_from_slice(b", ");
            forwarded.extend_from_slice(b", ");
        }
        chain.extend_from_slice(text.as_bytes());
        append_for(&mut forwarded, text.as_bytes(), node.is_ipv6());
        // Once, for readers of the first element and of the last alike.
        if index == 0 {
            append_host_and_proto(&mut forwarded, host.as_ref(), proto.as_bytes());
        }
    }
    headers.insert(FORWARDED, value(forwarded));
    headers.insert(X_FORWARDED_FOR, value(chain));
    set_or_remove(headers, X_FORWARDED_PROTO, HeaderValue::from_str(proto).ok());
    set_or_remove(headers, X_FORWARDED_HOST, host);
    if headers.contains_key(X_REAL_IP) {
        let client = told.client.unwrap_or(peer).to_string();
        set_or_remove(headers, X_REAL_IP, HeaderValue::try_from(client).ok());
    }
}

// `Forwarded` is put together by hand: `format!` was a tenth of the instructions of a request.

fn append_for(text: &mut BytesMut, node: &[u8], is_ipv6: bool) {
    let (open, close): (&[u8], &[u8]) = if is_ipv6 { (b"for=\"[", b"]\"") } else { (b"for=", b"") };
    for part in [open, node, close] {
        text.extend_from_slice(part);
    }
}

fn append_host_and_proto(text: &mut BytesMut, host: Option<&HeaderValue>, proto: &[u8]) {
    if let Some(host) = host.map(HeaderValue::as_bytes).filter(|host| !host.is_empty()) {
        // Quoted where a port or an IPv6 address makes it no token (RFC 7239, 4); a host has no quotes of its own.
        let quote: &[u8] = if host.iter().any(|byte| matches!(byte, b':' | b'[')) { b"\"" } else { b"" };
        for part in [b";host=", quote, host, quote] {
            text.extend_from_slice(part);
        }
    }
    text.extend_from_slice(b";proto=");
    text.extend_from_slice(proto);
}

/// Parts of valid values are valid together.
fn value(text: BytesMut) -> HeaderValue {
    HeaderValue::from_maybe_shared(text.freeze()).unwrap_or(HeaderValue::from_static("unknown"))
}

fn set_or_remove(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => drop(headers.insert(name, value)),
        None => drop(headers.remove(name)),
    }
}
