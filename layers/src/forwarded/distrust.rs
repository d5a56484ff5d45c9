use std::task::{Context, Poll};

use http::Request;
use tower::{Layer, Service};

use super::{ProxyHeaders, TrustedProxies};
use crate::conn::ConnInfo;

/// Removes what a client says of itself in forwarding fields, unless it is a trusted proxy.
///
/// These are `Forwarded`, all `X-Forwarded-*`, `X-Real-IP` and `X-Request-ID`, also written with `_` for `-`, which CGI and
/// its heirs read alike. Of a trusted proxy, those go that it does not set: see [`ProxyHeaders`]. Stands outside of the layers that set them. A request without [`ConnInfo`] is not trusted; one
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
        let believed = believed(&request, &self.trusted);
        let claims: Vec<_> =
            request.headers().keys().filter(|name| is_claim(name.as_str(), believed)).cloned().collect();
        for name in claims {
            request.headers_mut().remove(name);
        }
        self.inner.call(request)
    }
}

/// Whose word is believed, and of which fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Believed {
    Nobody,
    Proxy(ProxyHeaders),
    /// It has done all this for its client, and sets both kinds.
    Node,
}

fn believed<B>(request: &Request<B>, trusted: &TrustedProxies) -> Believed {
    match request.extensions().get::<ConnInfo>() {
        Some(info) if info.peer_node().is_some() => Believed::Node,
        Some(info) if trusted.contains(info.peer().ip()) => Believed::Proxy(trusted.told_in()),
        _ => Believed::Nobody,
    }
}

/// Whether a field is to be removed. Aliases with `_` are nobody's word: a proxy that is trusted writes `-`.
fn is_claim(name: &str, believed: Believed) -> bool {
    if name == "forwarded" {
        return matches!(believed, Believed::Nobody | Believed::Proxy(ProxyHeaders::XForwarded));
    }
    if !matches!(name.as_bytes(), [b'x', b'-' | b'_', b'f' | b'r', ..]) {
        return false;
    }
    let dashed = |plain: &str| {
        name.len() == plain.len() && name.bytes().zip(plain.bytes()).all(|(a, b)| a == b || (a == b'_' && b == b'-'))
    };
    let is_id = dashed("x-request-id");
    let of_proxies = dashed("x-real-ip")
        || name.get(.."x-forwarded-".len()).is_some_and(|start| start.replace('_', "-") == "x-forwarded-");
    let is_believed = match believed {
        Believed::Nobody => false,
        Believed::Proxy(headers) => is_id || headers == ProxyHeaders::XForwarded,
        Believed::Node => true,
    };
    (is_id || of_proxies) && (name.contains('_') || !is_believed)
}
