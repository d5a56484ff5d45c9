use std::{fmt, net::IpAddr};

use http::Extensions;

use crate::conn::ConnInfo;

/// The IP address of the client that sent a request, even if the request came through a trusted proxy.
///
/// [`DistrustLayer`](super::DistrustLayer) determines it once per request, for all inner layers that log or count
/// clients. If the peer is a trusted proxy, the client is the last address in the proxy's chain that does not belong to a
/// trusted proxy. The chain from another node is read in the same way, because that node has already checked it. For any
/// other peer, or if the proxy hides its client, it is the address of the peer.
///
/// IPv4 addresses that are written as IPv6 (`::ffff:192.0.2.1`) are converted to IPv4.
///
/// ```
/// use http::Request;
/// use pmesh_layers::{conn::ConnInfo, forwarded::{ClientAddr, DistrustLayer, TrustedProxies}};
/// use tower::{BoxError, ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let trusted = TrustedProxies::new(["10.0.0.0/8".parse()?]);
/// let service = ServiceBuilder::new().layer(DistrustLayer::new(trusted)).service_fn(
///     async |request: Request<()>| Ok::<_, BoxError>(ClientAddr::from_extensions(request.extensions())),
/// );
/// for (peer, client) in [([10, 0, 0, 1], "198.51.100.7"), ([192, 0, 2, 1], "192.0.2.1")] {
///     let request = Request::get("/")
///         .header("x-forwarded-for", "198.51.100.7")
///         .extension(ConnInfo::plain((peer, 40000).into()))
///         .body(())?;
///     let seen = service.clone().oneshot(request).await?.ok_or("unknown")?;
///     assert_eq!(seen.to_string(), client);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddr(IpAddr);

impl ClientAddr {
    /// Returns the client's address from the extensions of a request: the one that
    /// [`DistrustLayer`](super::DistrustLayer) found, or else the peer of the [`ConnInfo`]. `None` without either.
    pub fn from_extensions(extensions: &Extensions) -> Option<Self> {
        // Most clients come without a proxy. For them, an extension would be a needless allocation.
        let found = extensions.get().copied();
        found.or_else(|| extensions.get::<ConnInfo>().map(|info| Self(info.peer().ip())))
    }

    pub(super) fn new(ip: IpAddr) -> Self {
        Self(ip)
    }

    /// The address.
    pub fn ip(self) -> IpAddr {
        self.0
    }
}

impl fmt::Display for ClientAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::Request;
    use tower::{ServiceBuilder, ServiceExt};

    use super::*;
    use crate::forwarded::{DistrustLayer, ForwardedLayer, ProxyHeaders, TrustedProxies};

    /// Returns the client and the header X-Real-IP that inner layers see.
    async fn seen(
        info: ConnInfo,
        headers: ProxyHeaders,
        fields: &[(&'static str, &'static str)],
    ) -> (String, Option<String>) {
        let trusted = TrustedProxies::new(["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().unwrap())).headers(headers);
        let service = ServiceBuilder::new()
            .layer(DistrustLayer::new(trusted.clone()))
            .layer(ForwardedLayer::new(trusted))
            .service_fn(async |request: Request<()>| Ok::<_, Infallible>(request));
        let mut request = Request::get("/").extension(info);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let request = service.oneshot(request.body(()).unwrap()).await.unwrap();
        let real_ip = request.headers().get("x-real-ip").map(|value| value.to_str().unwrap().to_owned());
        (ClientAddr::from_extensions(request.extensions()).unwrap().to_string(), real_ip)
    }

    fn peer(ip: &str) -> ConnInfo {
        ConnInfo::plain((ip.parse::<IpAddr>().unwrap(), 40000).into())
    }

    #[tokio::test]
    async fn the_client_is_the_last_address_that_is_not_a_trusted_proxy() {
        for (from, chain, client) in [
            ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
            ("::ffff:192.0.2.1", "198.51.100.7", "192.0.2.1"),
            ("2001:db8::1", "198.51.100.7", "2001:db8::1"),
            ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
            ("fd00::1", "[2001:db8::7]:443", "2001:db8::7"),
            ("10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
            // The client sent the first address itself.
            ("10.0.0.1", "203.0.113.9, 198.51.100.7, fd00::2, ::ffff:10.0.0.3", "198.51.100.7"),
            // All are trusted: the first of them made the request.
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            // The client is not named.
            ("10.0.0.1", "198.51.100.7, unknown", "10.0.0.1"),
            ("10.0.0.1", "198.51.100.7, nonsense, 10.0.0.2", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
        ] {
            let fields = [("x-forwarded-for", chain), ("x-real-ip", "203.0.113.1")];
            let expected = (client.to_owned(), Some(client.to_owned()));
            assert_eq!(seen(peer(from), ProxyHeaders::XForwarded, &fields).await, expected, "{from}: {chain}");
        }
        let fields =
            [("forwarded", "for=203.0.113.9, for=\"[2001:db8::7]:1\", for=10.0.0.2"), ("x-forwarded-for", "x")];
        let seen = seen(peer("10.0.0.1"), ProxyHeaders::Forwarded, &fields).await;
        assert_eq!(seen, ("2001:db8::7".to_owned(), Some("2001:db8::7".to_owned())));
    }

    #[tokio::test]
    async fn the_client_of_another_node_is_read_from_its_headers() {
        for (chain, client) in [
            ("198.51.100.7", "198.51.100.7"),
            ("203.0.113.9, 198.51.100.7, 10.0.0.2", "198.51.100.7"),
            ("10.0.0.2", "10.0.0.2"),
            ("unknown", "192.0.2.50"),
            ("", "192.0.2.50"),
        ] {
            let node = ConnInfo::node(([192, 0, 2, 50], 1).into(), "berlin".parse().unwrap());
            let fields = [("x-forwarded-for", chain), ("x-real-ip", "198.51.100.9")];
            let (seen, real_ip) = seen(node, ProxyHeaders::Forwarded, &fields).await;
            assert_eq!((&*seen, real_ip.as_deref()), (client, Some("198.51.100.9")), "{chain}");
        }
    }
}
