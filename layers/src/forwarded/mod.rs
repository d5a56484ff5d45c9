//! Determines the address of the client and sends it to the backend.
//!
//! [`DistrustLayer`] removes forged headers and finds the [`ClientAddr`]. [`ForwardedLayer`] sets `Forwarded` (RFC 7239),
//! `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`, and `X-Real-IP`, all from the same values.
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

mod client;
mod distrust;
mod element;
mod layer;
mod network;
mod node;
mod original;
mod port;
mod prefix;
mod trusted;

pub use client::ClientAddr;
pub use distrust::{Distrust, DistrustLayer};
pub use layer::{Forwarded, ForwardedLayer};
pub use network::ClientNetwork;
pub use prefix::X_FORWARDED_PREFIX;
pub use trusted::{ProxyHeaders, TrustedProxies};

pub(crate) use prefix::joined as joined_prefixes;

use http::HeaderName;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
pub(crate) const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http::{HeaderValue, Request};
    use tower::{ServiceBuilder, ServiceExt};

    use super::*;
    use crate::conn::ConnInfo;

    async fn forwarded(peer: &str, trusted: &str, fields: &[(&'static str, &'static str)]) -> Vec<String> {
        passed_on(ConnInfo::plain((peer.parse::<IpAddr>().unwrap(), 40000).into()), trusted, fields).await
    }

    async fn passed_on(info: ConnInfo, trusted: &str, fields: &[(&'static str, &'static str)]) -> Vec<String> {
        seen(info, TrustedProxies::new(trusted.parse()), fields).await
    }

    async fn seen(info: ConnInfo, trusted: TrustedProxies, fields: &[(&'static str, &'static str)]) -> Vec<String> {
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
    async fn headers_of_untrusted_clients_are_replaced() {
        let fields = [
            ("host", "example.com:8080"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "evil"),
            ("x-forwarded-port", "1"),
            ("x_forwarded_for", "10.0.0.1"),
            ("x-forwarded_for", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
            ("x-forwarded-prefix", "/evil"),
            ("x_forwarded_prefix", "/evil"),
            ("x-real-ip", "10.0.0.1"),
            ("x_real_ip", "10.0.0.1"),
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
                "x-forwarded-port: 8080",
                "x-forwarded-proto: http",
                "x-real-ip: 2001:db8::1",
            ]
        );
    }

    #[tokio::test]
    async fn a_trusted_proxy_is_appended_to_the_chain_that_it_sent() {
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
                "forwarded: for=192.0.2.7;host=example.com;proto=https, for=192.0.2.8, for=192.0.2.9, for=10.1.1.1",
                "host: example.com",
                "x-forwarded-for: 192.0.2.7, 192.0.2.8, 192.0.2.9, 10.1.1.1",
                "x-forwarded-host: example.com",
                "x-forwarded-port: 443",
                "x-forwarded-proto: https",
                "x-real-ip: 192.0.2.9",
                "x-request-id: 1",
            ]
        );
    }

    /// Returns the headers that the backend gets for a request from a proxy at 10.0.0.1, without `Host`.
    async fn from_proxy(headers: ProxyHeaders, fields: &[(&'static str, &'static str)]) -> String {
        let trusted = TrustedProxies::new(["10.0.0.0/8".parse().unwrap()]).headers(headers);
        let info = ConnInfo::plain(([10, 0, 0, 1], 40000).into());
        let fields: Vec<_> = [("host", "a.test")].iter().chain(fields).copied().collect();
        let lines = seen(info, trusted, &fields).await;
        lines.into_iter().filter(|line| !line.starts_with("host")).collect::<Vec<_>>().join("\n")
    }

    #[tokio::test]
    async fn headers_that_a_proxy_does_not_set_are_removed() {
        let fields = [
            ("forwarded", "for=192.0.2.7;host=seven.test;proto=https"),
            ("x-forwarded-for", "192.0.2.8"),
            ("x-forwarded-proto", "wss"),
            ("x-forwarded-host", "eight.test:1"),
            ("x-forwarded-port", "1"),
            ("x-real-ip", "192.0.2.9"),
        ];
        assert_eq!(
            from_proxy(ProxyHeaders::XForwarded, &fields).await,
            "forwarded: for=192.0.2.8;host=\"eight.test:1\";proto=wss, for=10.0.0.1\n\
             x-forwarded-for: 192.0.2.8, 10.0.0.1\nx-forwarded-host: eight.test:1\nx-forwarded-port: 1\n\
             x-forwarded-proto: wss\nx-real-ip: 192.0.2.8"
        );
        assert_eq!(
            from_proxy(ProxyHeaders::Forwarded, &fields).await,
            "forwarded: for=192.0.2.7;host=seven.test;proto=https, for=10.0.0.1\n\
             x-forwarded-for: 192.0.2.7, 10.0.0.1\nx-forwarded-host: seven.test\nx-forwarded-port: 443\n\
             x-forwarded-proto: https\nx-real-ip: 192.0.2.7"
        );
    }

    #[tokio::test]
    async fn both_kinds_of_headers_have_the_same_chain() {
        for (headers, fields, chain, host, proto) in [
            // An IPv6 address, a port, and names that hide an address.
            (
                ProxyHeaders::XForwarded,
                &[("x-forwarded-for", "[2001:db8::7]:80, unknown,192.0.2.8:1")][..],
                "2001:db8::7, unknown, 192.0.2.8",
                "a.test",
                "http",
            ),
            (
                ProxyHeaders::Forwarded,
                &[("forwarded", "For=\"[2001:db8::7]:80\", for=_x;by=_y"), ("forwarded", "for=\"192.0.2.8:1\"")],
                "2001:db8::7, _x, 192.0.2.8",
                "a.test",
                "http",
            ),
            // Malformed values are dropped.
            (
                ProxyHeaders::XForwarded,
                &[
                    ("x-forwarded-for", "evil;host=x, 192.0.2.8"),
                    ("x-forwarded-host", "a b"),
                    ("x-forwarded-proto", "h:"),
                ],
                "192.0.2.8",
                "a.test",
                "http",
            ),
            (
                ProxyHeaders::Forwarded,
                &[("forwarded", "for=\"evil"), ("forwarded", "for=192.0.2.8;host=\"a b\";proto=\"h:\", for=x")],
                "192.0.2.8",
                "a.test",
                "http",
            ),
            // If there are several hosts and schemes, those for the last untrusted client count.
            (
                ProxyHeaders::XForwarded,
                &[
                    ("x-forwarded-for", "192.0.2.6, 192.0.2.7, 10.0.0.2"),
                    ("x-forwarded-host", "evil.test, good.test, inside.test"),
                    ("x-forwarded-proto", "https, HTTPS"),
                ],
                "192.0.2.6, 192.0.2.7, 10.0.0.2",
                "good.test",
                "https",
            ),
            (
                ProxyHeaders::Forwarded,
                &[(
                    "forwarded",
                    "for=192.0.2.6;host=evil.test;proto=ws, for=192.0.2.7;host=good.test, for=10.0.0.2;proto=HTTPS;host=x",
                )],
                "192.0.2.6, 192.0.2.7, 10.0.0.2",
                "good.test",
                "https",
            ),
            (ProxyHeaders::XForwarded, &[("x-forwarded-host", "b.test:")], "", "b.test", "http"),
            // The proxy sent nothing.
            (ProxyHeaders::XForwarded, &[], "", "a.test", "http"),
            (ProxyHeaders::Forwarded, &[], "", "a.test", "http"),
        ] {
            let chain: Vec<_> = chain.split(", ").filter(|node| !node.is_empty()).chain(["10.0.0.1"]).collect();
            let quoted =
                |node: &&str| if node.contains(':') { format!("for=\"[{node}]\"") } else { format!("for={node}") };
            let mut forwarded: Vec<_> = chain.iter().map(quoted).collect();
            forwarded[0] += &format!(";host={host};proto={proto}");
            let port = if proto == "https" { 443 } else { 80 };
            let expected = format!(
                "forwarded: {}\nx-forwarded-for: {}\nx-forwarded-host: {host}\nx-forwarded-port: {port}\n\
                 x-forwarded-proto: {proto}\nx-real-ip: ",
                forwarded.join(", "),
                chain.join(", ")
            );
            let seen = from_proxy(headers, fields).await;
            assert!(seen.starts_with(&expected), "{seen} for {fields:?}");
        }
    }

    #[tokio::test]
    async fn only_one_port_of_a_proxy_is_passed_on() {
        for (fields, expected) in [
            (&[("x-forwarded-port", "8443")][..], "8443"),
            // The proxy appended its port to the header of its client.
            (&[("x-forwarded-port", "1"), ("x-forwarded-port", "443")], "443"),
            (&[("x-forwarded-port", "1, 443")], "443"),
            // Each proxy appended a port, and 10.0.0.2 is trusted.
            (&[("x-forwarded-for", "192.0.2.8, 10.0.0.2"), ("x-forwarded-port", "443, 80")], "443"),
            (&[("x-forwarded-port", "443"), ("x-forwarded-port", "+80")], "80"),
            (&[("x-forwarded-port", "65536")], "80"),
            (&[("x-forwarded-port", "")], "80"),
            // Without a valid port from the proxy, the port of its host or scheme.
            (&[], "80"),
            (&[("x-forwarded-proto", "https")], "443"),
            (&[("x-forwarded-proto", "https"), ("x-forwarded-host", "b.test:8443")], "8443"),
            (&[("x-forwarded-proto", "https"), ("x-forwarded-port", "x")], "443"),
        ] {
            let seen = from_proxy(ProxyHeaders::XForwarded, fields).await;
            let ports: Vec<_> = seen.lines().filter_map(|line| line.strip_prefix("x-forwarded-port: ")).collect();
            assert_eq!(ports, [expected], "{fields:?}");
        }
    }

    #[tokio::test]
    async fn headers_of_another_node_are_kept() {
        let fields = [
            ("forwarded", "for=192.0.2.7;proto=http"),
            ("host", "example.com"),
            ("x-forwarded-for", "192.0.2.7"),
            ("x-forwarded-host", "example.com:80"),
            ("x-forwarded-port", "80"),
            ("x-forwarded-prefix", "/app"),
            ("x-forwarded-proto", "http"),
            ("x-real-ip", "192.0.2.7"),
            ("x-request-id", "1"),
        ];
        let info = ConnInfo::node(([10, 0, 0, 1], 40000).into(), "berlin".parse().unwrap());
        let mut evil = fields.to_vec();
        evil.push(("x_forwarded_for", "10.0.0.1"));
        let expected: Vec<_> = fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        assert_eq!(passed_on(info, "192.0.2.0/24", &evil).await, expected);
    }
}
