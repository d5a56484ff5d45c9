//! Addresses of upstreams.

mod host_port;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use pmesh_layers::{host::HostName, identity::NodeName};

pub use self::host_port::HostPort;

/// One address of an upstream: where requests are sent, and how.
///
/// Written as `127.0.0.1:9001`, `[::1]:9001`, `name:8080` or with a scheme in front: `http://`, `https://`, `h2c://`,
/// `h2://`. With a scheme the port may be left out; it is 443 where the scheme has TLS, else 80. Or the path of a Unix
/// socket: `unix:/run/app.sock`. Or another node, `mesh://NODE`, or whichever nodes serve what is asked for, `mesh://*`.
///
/// ```
/// use pmesh::endpoint::Endpoint;
///
/// let endpoint: Endpoint = "https://backend".parse()?;
/// assert_eq!(endpoint.to_string(), "https://backend:443");
/// # Ok::<(), pmesh::endpoint::InvalidEndpoint>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A port of a machine.
    Port {
        /// What is spoken there.
        protocol: Protocol,
        /// The machine.
        host: EndpointHost,
        /// The port, from 1.
        port: u16,
    },
    /// A Unix socket, where HTTP/1.1 is spoken. The path is absolute.
    Unix(PathBuf),
    /// The node of this name, which serves the request as if a client had sent it there.
    Mesh(NodeName),
    /// The nodes that serve the host and the path of the request.
    MeshAny,
}

/// What is spoken to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// HTTP/1.1.
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 without TLS, from the first byte.
    H2c,
    /// HTTP/2 over TLS.
    H2,
}

/// The machine an upstream runs on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointHost {
    /// Its address.
    Address(IpAddr),
    /// Its name, to be resolved.
    Name(HostName),
}

impl Endpoint {
    /// HTTP/1.1 to an address.
    pub fn http(address: SocketAddr) -> Self {
        Self::Port { protocol: Protocol::Http, host: EndpointHost::Address(address.ip()), port: address.port() }
    }

    /// Whether requests are sent over TLS.
    pub fn is_tls(&self) -> bool {
        matches!(self, Self::Port { protocol: Protocol::Https | Protocol::H2, .. })
    }

    /// Whether requests are sent to other nodes.
    pub fn is_mesh(&self) -> bool {
        matches!(self, Self::Mesh(_) | Self::MeshAny)
    }

    /// Whether requests are streams of HTTP/2.
    pub fn is_http2(&self) -> bool {
        matches!(self, Self::Port { protocol: Protocol::H2c | Protocol::H2, .. })
    }
}

impl Protocol {
    const ALL: [(&'static str, Self); 4] =
        [("http", Self::Http), ("https", Self::Https), ("h2c", Self::H2c), ("h2", Self::H2)];

    fn default_port(self) -> u16 {
        match self {
            Self::Http | Self::H2c => 80,
            Self::Https | Self::H2 => 443,
        }
    }
}

impl FromStr for Protocol {
    type Err = InvalidEndpoint;

    fn from_str(scheme: &str) -> Result<Self, InvalidEndpoint> {
        let scheme = scheme.to_ascii_lowercase();
        if let Some((_, protocol)) = Self::ALL.iter().find(|(name, _)| *name == scheme) {
            return Ok(*protocol);
        }
        Err(InvalidEndpoint(match &*scheme {
            "grpc" => "gRPC without TLS is written h2c://".to_owned(),
            "grpcs" => "gRPC over TLS is written h2://".to_owned(),
            "ws" => "for a WebSocket write http://".to_owned(),
            "wss" => "for a WebSocket over TLS write https://".to_owned(),
            _ => "the scheme is none of http, https, h2c, h2, mesh and unix".to_owned(),
        }))
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let invalid = |reason: &str| InvalidEndpoint(reason.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            // As others write it, too: unix:///run/app.sock.
            let path = path.strip_prefix("//").unwrap_or(path);
            let absolute = path.starts_with('/') && path.len() > 1;
            return if absolute { Ok(Self::Unix(path.into())) } else { Err(invalid("the path does not start with /")) };
        }
        if let Some((scheme, node)) = text.split_once("://")
            && scheme.eq_ignore_ascii_case("mesh")
        {
            return match node {
                "*" => Ok(Self::MeshAny),
                _ if node.contains(':') => Err(invalid("a node is named without a port; mesh_peers says where it is")),
                _ => node.parse().map(Self::Mesh).map_err(|error| InvalidEndpoint(format!("{error}"))),
            };
        }
        let (protocol, authority) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.parse()?), rest),
            None => (None, text),
        };
        if authority.contains(['/', '?', '#']) {
            return Err(invalid("a path cannot follow the address"));
        }
        let (host, port) = host_port::split(authority);
        let port = match (port, protocol) {
            (Some(port), _) => host_port::port(port),
            (None, Some(protocol)) => Ok(Protocol::default_port(protocol)),
            (None, None) => return Err(invalid("the port is missing")),
        };
        let host = host.parse()?;
        let port = port?;
        Ok(Self::Port { protocol: protocol.unwrap_or(Protocol::Http), host, port })
    }
}

impl FromStr for EndpointHost {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        if text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) {
            return Err(InvalidEndpoint(format!("an IPv6 address is written as [{text}]")));
        }
        let name: HostName = text.parse().map_err(|error| InvalidEndpoint(format!("{error}")))?;
        if !name.is_ip() {
            return Ok(Self::Name(name));
        }
        let address = name.as_str().trim_start_matches('[').trim_end_matches(']');
        address.parse().map(Self::Address).map_err(|_| InvalidEndpoint(format!("{address} is no IP address")))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { protocol: Protocol::Http, host, port } => write!(f, "{host}:{port}"),
            Self::Port { protocol, host, port } => write!(f, "{protocol}://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Mesh(node) => write!(f, "mesh://{node}"),
            Self::MeshAny => f.write_str("mesh://*"),
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, protocol)| protocol == self).map(|(name, _)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

impl fmt::Display for EndpointHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// Text that is no address of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidEndpoint(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_names() {
        for (text, expected) in [
            ("127.0.0.1:9001", "127.0.0.1:9001"),
            ("http://127.0.0.1:9001", "127.0.0.1:9001"),
            ("HTTP://Name:8080", "name:8080"),
            ("name:8080", "name:8080"),
            ("my_service.default.svc:1", "my_service.default.svc:1"),
            ("[::1]:65535", "[::1]:65535"),
            ("http://[::1]", "[::1]:80"),
            ("http://name", "name:80"),
            ("https://name", "https://name:443"),
            ("HTTPS://10.0.0.1:8443", "https://10.0.0.1:8443"),
            ("h2c://name", "h2c://name:80"),
            ("h2c://127.0.0.1:50051", "h2c://127.0.0.1:50051"),
            ("h2://[::1]", "h2://[::1]:443"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
            ("unix:///run/a.sock", "unix:/run/a.sock"),
            ("mesh://Berlin-1", "mesh://berlin-1"),
            ("MESH://*", "mesh://*"),
        ] {
            let endpoint: Endpoint = text.parse().expect(text);
            assert_eq!(endpoint.to_string(), expected);
            assert_eq!(expected.parse(), Ok(endpoint));
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in [
            ("h3://a:443", "the scheme is none of http, https, h2c, h2, mesh and unix"),
            ("grpc://a:443", "gRPC without TLS is written h2c://"),
            ("grpcs://a:443", "gRPC over TLS is written h2://"),
            ("wss://a:443", "for a WebSocket over TLS write https://"),
            ("unix:run/a.sock", "the path does not start with /"),
            ("unix://run/a.sock", "the path does not start with /"),
            ("unix:", "the path does not start with /"),
            ("mesh://", "the name of the node is empty"),
            ("mesh://a:8443", "a node is named without a port; mesh_peers says where it is"),
            (
                "mesh://a.example",
                "'.' cannot stand in the name of a node: it has letters from a to z, digits and hyphens",
            ),
            ("https://a/b", "a path cannot follow the address"),
            ("h2c://", "the host is empty"),
            ("127.0.0.1:9001/", "a path cannot follow the address"),
            ("http://a/b", "a path cannot follow the address"),
            ("a?b", "a path cannot follow the address"),
            ("127.0.0.1", "the port is missing"),
            ("a:0", "the port is not a number from 1 to 65535"),
            ("a:65536", "the port is not a number from 1 to 65535"),
            ("a:", "the port is not a number from 1 to 65535"),
            ("", "the port is missing"),
            (":80", "the host is empty"),
            ("http://", "the host is empty"),
            ("999.0.0.1:80", "999.0.0.1 is no IP address"),
            ("::1:80", "an IPv6 address is written as [::1]"),
            ("u@a:80", "'@' cannot stand in a host name"),
            ("*.a:80", "'*' cannot stand in a host name"),
        ] {
            let error = text.parse::<Endpoint>().expect_err(text);
            assert_eq!(error.to_string(), expected, "{text}");
        }
    }
}
