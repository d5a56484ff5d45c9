use std::{
    ops::Range,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request,
    header::{FORWARDED, HOST},
};
use tower::{BoxError, Layer, Service};

use super::{
    TrustedProxies, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PREFIX, X_FORWARDED_PROTO,
    X_REAL_IP, element, joined_prefixes, node::Node, original::Original, port,
};
use crate::{
    MissingExtension, ResponseFuture,
    conn::{ConnInfo, Scheme},
};

const HTTP: HeaderValue = HeaderValue::from_static("http");
const HTTPS: HeaderValue = HeaderValue::from_static("https");
/// Capacity for the headers that this layer adds, and a few of inner layers. Growing the map takes longer than adding all
/// of them.
const ADDED: usize = 8;

/// A layer that sends the client's address and the scheme, host and port of its request to the backend.
///
/// | header | value |
/// | --- | --- |
/// | `X-Forwarded-For` | the chain of addresses that a trusted proxy sent, and the address of the peer |
/// | `X-Real-IP` | the [`ClientAddr`](super::ClientAddr) |
/// | `X-Forwarded-Proto` | the scheme that the client used |
/// | `X-Forwarded-Host` | the requested host, with its port if it has one |
/// | `X-Forwarded-Port` | the port of that host, or else the default port of the scheme |
/// | `Forwarded` | the same addresses, host and scheme (RFC 7239) |
///
/// If the peer is a trusted proxy, the scheme, host and port are taken from its headers, because it received the original
/// request. If it sent several values, one of them is kept, but all values of `X-Forwarded-Prefix` are joined. Malformed
/// values and the ports of addresses in the chain are dropped.
///
/// A request from another node is passed on unchanged, because that node has already set the headers. A request without
/// [`ConnInfo`] fails with [`MissingExtension`].
///
/// If an untrusted client sends the headers above, this layer replaces them. To remove others, such as
/// `X-Forwarded-Prefix`, put a [`DistrustLayer`](super::DistrustLayer) outside this layer. Put this layer inside a
/// [`HopByHopLayer`](crate::hop_by_hop::HopByHopLayer), or a client can remove the headers with
/// `Connection: X-Forwarded-For`.
#[derive(Debug, Clone)]
pub struct ForwardedLayer {
    trusted: TrustedProxies,
}

impl ForwardedLayer {
    /// Creates a layer that trusts the headers of the proxies in `trusted`.
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

/// Sets the headers for a client that is not a trusted proxy.
fn set_from_connection(headers: &mut HeaderMap, info: &ConnInfo) {
    let host = headers.get(HOST).cloned();
    let (scheme, proto, usual_port) = match info.scheme() {
        Scheme::Http => ("http", HTTP, port::HTTP),
        Scheme::Https => ("https", HTTPS, port::HTTPS),
    };
    let node = element::node(info.peer_ip().as_bytes(), info.peer().is_ipv6());
    let parts = node.into_iter().chain(element::host_and_proto(host.as_ref(), scheme));
    // Exactly as long as the text. Converting a larger buffer to a value would take another allocation.
    let mut forwarded = Vec::with_capacity(parts.clone().map(<[u8]>::len).sum());
    parts.for_each(|part| forwarded.extend_from_slice(part));
    headers.reserve(ADDED);
    headers.insert(FORWARDED, value(forwarded.into()));
    headers.insert(X_FORWARDED_FOR, info.peer_ip().clone());
    headers.insert(X_REAL_IP, info.peer_ip().clone());
    headers.insert(X_FORWARDED_PROTO, proto);
    let port = host.as_ref().and_then(|host| port::in_host(host.as_bytes()));
    headers.insert(X_FORWARDED_PORT, port.map_or(usual_port, HeaderValue::from));
    set_or_remove(headers, X_FORWARDED_HOST, host);
}

/// Sets the headers to the values from a trusted proxy, and adds the proxy itself.
fn set_from_proxy(headers: &mut HeaderMap, info: &ConnInfo, original: Original) {
    let host = original.host.or_else(|| headers.get(HOST).cloned());
    let proto = original.proto.as_deref().unwrap_or(info.scheme().as_str());
    let peer = Node::Address(info.peer().ip());
    let client = original.client.unwrap_or(info.peer().ip());
    let (mut chain, mut forwarded) = (Vec::new(), Vec::new());
    let mut client_in_chain = Range::default();
    headers.reserve(ADDED);
    for (index, node) in original.chain.iter().chain([&peer]).enumerate() {
        let text = node.to_string();
        if index > 0 {
            chain.extend_from_slice(b", ");
            forwarded.extend_from_slice(b", ");
        }
        if node.ip() == Some(client) {
            client_in_chain = chain.len()..chain.len() + text.len();
        }
        chain.extend_from_slice(text.as_bytes());
        forwarded.extend(element::node(text.as_bytes(), node.is_ipv6()).concat());
        // Only in the first element, so that backends find the same value in whatever order they read the elements.
        if index == 0 {
            forwarded.extend(element::host_and_proto(host.as_ref(), proto).concat());
        }
    }
    let chain = Bytes::from(chain);
    headers.insert(FORWARDED, value(forwarded.into()));
    headers.insert(X_REAL_IP, value(chain.slice(client_in_chain)));
    headers.insert(X_FORWARDED_FOR, value(chain));
    set_or_remove(headers, X_FORWARDED_PROTO, HeaderValue::from_str(proto).ok());
    let port = original.port.or_else(|| port::in_host(host.as_ref()?.as_bytes())).map(HeaderValue::from);
    let port = port.or_else(|| port::for_scheme(proto));
    set_or_remove(headers, X_FORWARDED_PORT, port);
    set_or_remove(headers, X_FORWARDED_HOST, host);
    if headers.contains_key(X_FORWARDED_PREFIX) {
        set_or_remove(headers, X_FORWARDED_PREFIX, joined_prefixes(headers, ""));
    }
}

/// Creates a header value. Never falls back to `unknown`, because all parts are valid.
fn value(text: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(text).unwrap_or(HeaderValue::from_static("unknown"))
}

fn set_or_remove(headers: &mut HeaderMap, name: HeaderName, value: Option<HeaderValue>) {
    match value {
        Some(value) => drop(headers.insert(name, value)),
        None => drop(headers.remove(name)),
    }
}
