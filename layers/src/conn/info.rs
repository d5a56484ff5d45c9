//! Information about a connection.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
};

use http::HeaderValue;

use super::{Control, Ties};
use crate::host_name::HostName;
#[cfg(feature = "identity")]
use crate::identity::NodeName;

/// Information about the client connection that a request arrived on.
///
/// [`HttpServer`](crate::serve::HttpServer) adds it to the extensions of each request. On other servers,
/// [`ConnInfoLayer`](super::ConnInfoLayer) does. Cloning only increments a reference count.
///
/// The peer of a Unix socket or a pipe has no IP address. Pass an address in its place, such as `127.0.0.1:0`. Backends
/// see it as the client's address. If the peer is a proxy, [`TrustedProxies`](crate::forwarded::TrustedProxies) has to
/// include it.
///
/// ```
/// use pmesh_layers::conn::{ConnInfo, Scheme};
///
/// let info = ConnInfo::tls(([192, 0, 2, 1], 40000).into(), "example.com".parse()?);
/// let request = http::Request::get("/").extension(info).body(())?;
///
/// let info = request.extensions().get::<ConnInfo>().expect("inserted above");
/// assert_eq!((info.scheme(), info.peer().port()), (Scheme::Https, 40000));
/// assert_eq!(info.server_name().map(|name| name.as_str()), Some("example.com"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct ConnInfo(Arc<Details>);

#[derive(Debug)]
struct Details {
    peer: SocketAddr,
    /// The peer's address as header text, made when a request first needs it.
    peer_ip: OnceLock<HeaderValue>,
    named: HandshakeName,
    control: Control,
    /// Most connections have none.
    ties: OnceLock<Box<Ties>>,
}

/// The name in the handshake. It exists once per connection, so it is small.
#[derive(Debug)]
enum HandshakeName {
    /// There was no handshake.
    Nothing,
    /// The server's name (SNI).
    Server(HostName),
    /// The client's name, from its certificate.
    #[cfg(feature = "identity")]
    Node(NodeName),
}

impl ConnInfo {
    /// Creates the information for a plain connection. Its gate opens when a request names a served host.
    pub fn plain(peer: SocketAddr) -> Self {
        Self::new(peer, HandshakeName::Nothing, Control::closed())
    }

    /// Creates the information for a TLS connection whose SNI named a served host. Its gate is open.
    pub fn tls(peer: SocketAddr, server_name: HostName) -> Self {
        Self::new(peer, HandshakeName::Server(server_name), Control::open())
    }

    /// Creates the information for a connection from another node, whose certificate has proved its name. Its gate is
    /// open. See [`NodeAcceptor`](crate::node::NodeAcceptor).
    #[cfg(feature = "identity")]
    pub fn node(peer: SocketAddr, name: NodeName) -> Self {
        Self::new(peer, HandshakeName::Node(name), Control::open())
    }

    fn new(peer: SocketAddr, named: HandshakeName, control: Control) -> Self {
        // A dual-stack listener sees IPv4 clients as ::ffff:192.0.2.1, which no list of networks would match.
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        Self(Arc::new(Details { peer, peer_ip: OnceLock::new(), named, control, ties: OnceLock::new() }))
    }

    /// The client's address. For an IPv4 client of a dual-stack listener, this is an IPv4 address.
    pub fn peer(&self) -> SocketAddr {
        self.0.peer
    }

    /// The client's IP address as a header value, made once per connection.
    pub fn peer_ip(&self) -> &HeaderValue {
        self.0.peer_ip.get_or_init(|| {
            // An address is always a valid value.
            HeaderValue::try_from(ip_text(self.0.peer.ip())).unwrap_or(HeaderValue::from_static("unknown"))
        })
    }

    /// The scheme of this connection.
    pub fn scheme(&self) -> Scheme {
        match self.0.named {
            HandshakeName::Nothing => Scheme::Http,
            _ => Scheme::Https,
        }
    }

    /// The host name that the client sent in the TLS handshake (SNI).
    pub fn server_name(&self) -> Option<&HostName> {
        match &self.0.named {
            HandshakeName::Server(name) => Some(name),
            _ => None,
        }
    }

    /// The node that sent the request, or `None` if the client is not a node. A node forwards requests of its own
    /// clients, and what it says about them can be trusted.
    #[cfg(feature = "identity")]
    pub fn peer_node(&self) -> Option<&NodeName> {
        match &self.0.named {
            HandshakeName::Node(name) => Some(name),
            HandshakeName::Nothing | HandshakeName::Server(_) => None,
        }
    }

    /// Whether the request was sent by another node.
    pub(crate) fn is_from_node(&self) -> bool {
        !matches!(self.0.named, HandshakeName::Nothing | HandshakeName::Server(_))
    }

    /// The handle that controls the connection.
    pub fn control(&self) -> &Control {
        &self.0.control
    }

    /// This client's own connections to endpoints, if it has had any.
    pub(crate) fn ties(&self) -> Option<&Ties> {
        self.0.ties.get().map(AsRef::as_ref)
    }

    /// Like [`ties`](Self::ties), but created if missing.
    pub(crate) fn ties_or_new(&self) -> &Ties {
        self.0.ties.get_or_init(Box::default)
    }
}

/// The address as `Display` writes it. IPv4 is written by hand, because `format!` took 2% of the instructions of a
/// connection with one request.
fn ip_text(address: IpAddr) -> Vec<u8> {
    let IpAddr::V4(address) = address else { return address.to_string().into_bytes() };
    let mut text = Vec::with_capacity("255.255.255.255.".len());
    for octet in address.octets() {
        if octet >= 100 {
            text.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            text.push(b'0' + octet / 10 % 10);
        }
        text.extend([b'0' + octet % 10, b'.']);
    }
    text.pop();
    text
}

/// A response extension: the endpoint that sent the response now has a connection that belongs to this client.
#[derive(Debug, Clone)]
pub(crate) struct TiedTo(pub(crate) ConnInfo);

/// Plain or secured HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// HTTP over TCP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    /// The scheme as in a URI: `http` or `https`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_by_display() {
        let written = |ip: IpAddr| ConnInfo::plain((ip, 40000).into()).peer_ip().clone();
        for ip in ["0.0.0.0", "1.20.255.100", "10.99.101.9", "255.255.255.255", "2001:db8::1", "::"] {
            assert_eq!(written(ip.parse().unwrap()), ip);
        }
        assert_eq!(written("::ffff:192.0.2.1".parse().unwrap()), "192.0.2.1");
    }
}
