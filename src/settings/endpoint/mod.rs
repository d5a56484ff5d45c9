//! Endpoints: the addresses of upstreams.

mod host_port;
mod instance;
mod parse;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use pmesh_layers::{host::HostName, identity::NodeName};

pub use self::{
    host_port::HostPort,
    instance::{Instance, InstanceAddress},
};
use super::service::ServiceName;

/// An address of an upstream: where requests are sent, and with which protocol.
///
/// It is written as one of these:
///
/// - `127.0.0.1:9001`, `[::1]:9001` or `name:8080`, optionally with a scheme: `http://`, `https://`, `h2c://` or
///   `h2://`. With a scheme, the port is optional: the default is 443 for TLS and 80 otherwise.
/// - `unix:/run/app.sock`, the path of a Unix socket.
/// - `service://NAME`, a local program that pmesh runs.
/// - `mesh://NODE`, another node, or `mesh://*`, all nodes that serve the host and the path of the request.
///
/// ```
/// use pmesh::settings::endpoint::Endpoint;
///
/// let endpoint: Endpoint = "https://backend".parse()?;
/// assert_eq!(endpoint.to_string(), "https://backend:443");
/// # Ok::<(), pmesh::settings::endpoint::InvalidEndpoint>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A host and a port.
    Port {
        /// The protocol.
        protocol: Protocol,
        /// The host.
        host: EndpointHost,
        /// The port, which is not 0.
        port: u16,
    },
    /// A Unix socket, for HTTP/1.1. The path is absolute.
    Unix(PathBuf),
    /// The node with this name. It serves the request as if a client had sent it there.
    Mesh(NodeName),
    /// Any node that serves the host and the path of the request.
    MeshAny,
    /// All instances of the service with this name.
    Service(ServiceName),
    /// One instance of a service. Never written in a configuration: [`Service`](Self::Service) stands for all of them.
    Instance(Instance),
}

/// The protocol of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// HTTP/1.1.
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 without TLS, with prior knowledge.
    H2c,
    /// HTTP/2 over TLS.
    H2,
}

/// The host of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointHost {
    /// An IP address.
    Address(IpAddr),
    /// A name, which is resolved when connecting.
    Name(HostName),
}

impl Endpoint {
    /// Whether requests can go to the node with this name.
    pub fn may_be(&self, node: &NodeName) -> bool {
        match self {
            Self::Mesh(name) => name == node,
            Self::MeshAny => true,
            Self::Port { .. } | Self::Unix(_) | Self::Service(_) | Self::Instance(_) => false,
        }
    }

    /// Whether requests for this endpoint go to `other`: it is the same, or an instance of this service.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Service(name), Self::Instance(instance)) => *name == instance.service,
            _ => self == other,
        }
    }

    /// An endpoint for HTTP/1.1 at an address.
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

    /// Whether requests are sent over HTTP/2 to a backend.
    pub fn is_http2(&self) -> bool {
        match self {
            Self::Port { protocol, .. } | Self::Instance(Instance { protocol, .. }) => {
                matches!(protocol, Protocol::H2c | Protocol::H2)
            }
            _ => false,
        }
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

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { protocol: Protocol::Http, host, port } => write!(f, "{host}:{port}"),
            Self::Port { protocol, host, port } => write!(f, "{protocol}://{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Mesh(node) => write!(f, "mesh://{node}"),
            Self::MeshAny => f.write_str("mesh://*"),
            Self::Service(name) => write!(f, "service://{name}"),
            Self::Instance(instance) => instance.fmt(f),
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

/// Why text is not a valid endpoint, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidEndpoint(String);
