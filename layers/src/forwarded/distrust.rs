use std::task::{Context, Poll};

use http::Request;
use tower::{BoxError, Layer, Service};

use super::{
    ClientAddr, ProxyHeaders, TrustedProxies,
    original::{self, Original},
};
use crate::{MissingExtension, ResponseFuture, cgi_name, conn::ConnInfo};

/// A layer that removes forwarding headers from requests of clients that are not trusted proxies, and determines the
/// [`ClientAddr`].
///
/// The headers are `Forwarded`, all `X-Forwarded-*`, `X-Real-IP` and `X-Request-ID`. A trusted proxy can send
/// `X-Request-ID` and the headers that it is known to set; see [`ProxyHeaders`]. Another node can send all of them,
/// because it has already removed those of its client. Spellings with `_` instead of `-` are always removed, because CGI
/// and its successors do not distinguish them. The remaining headers determine the [`ClientAddr`]. A request without
/// [`ConnInfo`] fails with [`MissingExtension`].
///
/// Put this layer outside the layers that set these headers, and outside layers that log or count clients.
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
    /// Creates a layer that trusts the headers of the proxies in `trusted`.
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
            return ResponseFuture::error(MissingExtension::conn_info("DistrustLayer"));
        };
        let believed = believed(info, &self.trusted);
        let claims: Vec<_> =
            request.headers().keys().filter(|name| is_claim(name.as_str(), believed)).cloned().collect();
        for name in claims {
            request.headers_mut().remove(name);
        }
        let client = match believed {
            Believed::Nobody => None,
            Believed::Proxy(_) => {
                let original = Original::read(request.headers(), &self.trusted);
                let client = original.client;
                request.extensions_mut().insert(original);
                client
            }
            Believed::Node => original::client_of_node(request.headers(), &self.trusted),
        };
        if let Some(client) = client {
            request.extensions_mut().insert(ClientAddr::new(client));
        }
        ResponseFuture::inner(self.inner.call(request))
    }
}

/// Whose headers are trusted, and which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Believed {
    Nobody,
    Proxy(ProxyHeaders),
    /// A node has already removed the headers of its client, and sets both kinds.
    Node,
}

fn believed(info: &ConnInfo, trusted: &TrustedProxies) -> Believed {
    if info.is_from_node() {
        Believed::Node
    } else if trusted.contains(info.peer().ip()) {
        Believed::Proxy(trusted.proxy_headers())
    } else {
        Believed::Nobody
    }
}

/// Whether to remove a header. Names with `_` are always removed, because proxies and nodes write `-`.
fn is_claim(name: &str, believed: Believed) -> bool {
    if name == "forwarded" {
        return matches!(believed, Believed::Nobody | Believed::Proxy(ProxyHeaders::XForwarded));
    }
    if !matches!(name.as_bytes(), [b'x', b'-' | b'_', b'f' | b'r', ..]) {
        return false;
    }
    let is_id = cgi_name::is_same(name, "x-request-id");
    let of_proxies = cgi_name::is_same(name, "x-real-ip") || cgi_name::begins_with(name, "x-forwarded-");
    let is_believed = match believed {
        Believed::Nobody => false,
        Believed::Proxy(headers) => is_id || headers == ProxyHeaders::XForwarded,
        Believed::Node => true,
    };
    (is_id || of_proxies) && (name.contains('_') || !is_believed)
}
