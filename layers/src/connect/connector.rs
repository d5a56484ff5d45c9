use std::{
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tower::Service;

use super::{ConnectError, Resolver, SourceSubnet, order::Losers, race::race, socket};
use crate::durations::bounded;

/// How many source addresses to try if one has no port left for the destination.
const MAX_SOURCES: u32 = 32;
/// The range of `TCP_KEEPIDLE` (tcp(7)).
const MIN_KEEPALIVE: Duration = Duration::from_secs(1);
const MAX_KEEPALIVE: Duration = Duration::from_secs(32_767);

/// Connects to the host and port of a URI, without running out of ports.
///
/// Connections to IPv4 loopback addresses use the addresses of a [`SourceSubnet`] in turn as their source. Connections
/// to other machines use the configured addresses of the same family in turn. Without a subnet or such an address, the
/// kernel chooses the source. If a source has no port left for the destination, the next one is tried.
///
/// A [`Resolver`] looks up host names. If a name has several addresses, the next one is tried when one fails or has not
/// responded within 250 ms, and the first connection to open is used (RFC 8305). For a minute, an address that lost to
/// a later one is tried after the others.
///
/// The connector does not speak TLS: `https` and `wss` URIs are an error. For those, wrap it in a
/// [`TlsConnector`](super::TlsConnector).
///
/// It also works as a connector for hyper-util's legacy client:
///
/// ```
/// use http_body_util::Empty;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use pmesh_layers::connect::SourceConnector;
///
/// # fn main() -> Result<(), pmesh_layers::connect::InvalidSubnet> {
/// let connector = SourceConnector::new().subnet("127.2.0.0/16".parse()?);
/// let client: Client<_, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
/// # Ok(())
/// # }
/// ```
///
/// Cloning only increments a reference count. Clones take turns together.
#[derive(Debug, Clone)]
pub struct SourceConnector {
    settings: Settings,
    shared: Arc<Shared>,
}

#[derive(Debug, Clone)]
struct Settings {
    subnet: Option<Arc<SourceSubnet>>,
    addresses: Arc<[IpAddr]>,
    connect_timeout: Duration,
    resolver: Resolver,
    socket: socket::Options,
}

#[derive(Debug, Default)]
struct Shared {
    next_address: AtomicU32,
    losers: Losers,
    warned: AtomicBool,
}

impl Default for SourceConnector {
    fn default() -> Self {
        Self::new()
    }
}

impl SourceConnector {
    /// Creates a connector that lets the kernel choose the source address, with a connect timeout of five seconds and
    /// `TCP_NODELAY` set.
    pub fn new() -> Self {
        Self {
            settings: Settings {
                subnet: None,
                addresses: Arc::new([]),
                connect_timeout: Duration::from_secs(5),
                resolver: Resolver::system(),
                socket: socket::Options { nodelay: true, keepalive: None },
            },
            shared: Arc::default(),
        }
    }

    /// Uses the addresses of `subnet` in turn as the source of connections to IPv4 loopback addresses. By default, the
    /// kernel chooses the source.
    #[must_use]
    pub fn subnet(mut self, subnet: SourceSubnet) -> Self {
        self.settings.subnet = Some(Arc::new(subnet));
        self
    }

    /// Uses these addresses in turn as the source of connections to other machines, each for destinations of its own
    /// address family. By default, the kernel chooses the source.
    #[must_use]
    pub fn source_addresses(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.settings.addresses = addresses.into_iter().collect();
        self
    }

    /// Sets the maximum time to open a connection, including the lookup of the name. Default: 5 seconds.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.connect_timeout = bounded(timeout);
        self
    }

    /// Sets the resolver for host names. Default: the system's. Connectors can share one.
    #[must_use]
    pub fn resolver(mut self, resolver: Resolver) -> Self {
        self.settings.resolver = resolver;
        self
    }

    /// Sets whether to send small writes at once (`TCP_NODELAY`). Default: true.
    #[must_use]
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.settings.socket.nodelay = nodelay;
        self
    }

    /// Sets the idle time after which the kernel checks whether the peer is still there (`SO_KEEPALIVE`). Off by
    /// default.
    ///
    /// Linux accepts 1 to 32,767 seconds. Other values are replaced by the nearest of these.
    #[must_use]
    pub fn keepalive(mut self, idle: Option<Duration>) -> Self {
        self.settings.socket.keepalive = idle.map(|idle| idle.clamp(MIN_KEEPALIVE, MAX_KEEPALIVE));
        self
    }

    /// Connects to `host`, a name or an IP address without brackets.
    ///
    /// # Errors
    ///
    /// Returns the [`ConnectError`] of the last address that failed.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, ConnectError> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.connect_address(SocketAddr::new(address, port)).await;
        }
        let deadline = Instant::now() + self.settings.connect_timeout;
        let addresses = match timeout_at(deadline, self.settings.resolver.resolve(host)).await {
            Ok(addresses) => addresses.map_err(|error| ConnectError::resolve(host, error))?,
            Err(_) => return Err(ConnectError::resolve_timeout(host)),
        };
        let mut addresses: Vec<_> = addresses.iter().map(|address| with_port(*address, port)).collect();
        self.shared.losers.order(&mut addresses);
        let attempt = async |address| {
            let connected = self.connect_from_sources(address).await;
            connected.map_err(|error| ConnectError::connect(address, error))
        };
        match timeout_at(deadline, race(&addresses, attempt)).await {
            Ok(Some(Ok(won))) => {
                if addresses.len() > 1 {
                    self.shared.losers.record(won.address, won.passed);
                }
                Ok(won.connection)
            }
            Ok(Some(Err(error))) => Err(error),
            Ok(None) => Err(ConnectError::no_address(host)),
            Err(_) => Err(ConnectError::name_timeout(host, &addresses)),
        }
    }

    async fn connect_address(&self, address: SocketAddr) -> Result<TcpStream, ConnectError> {
        match timeout(self.settings.connect_timeout, self.connect_from_sources(address)).await {
            Ok(result) => result.map_err(|error| ConnectError::connect(address, error)),
            Err(_) => Err(ConnectError::timeout(address)),
        }
    }

    async fn connect_from_sources(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let sources = self.sources(address);
        let mut tried = 0;
        loop {
            let source = self.next_source(sources, address);
            let error = match socket::connect(address, source, &self.settings.socket).await {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            tried += 1;
            match error {
                // This source has no port left for this destination.
                socket::Error::Connect(error)
                    if error.kind() == io::ErrorKind::AddrNotAvailable && tried < sources.count() => {}
                socket::Error::Connect(error) => return Err(error),
                socket::Error::Bind(_) if matches!(sources, Sources::Addresses(_)) && tried < sources.count() => {}
                socket::Error::Bind(error) => {
                    // On Linux, a subnet of loopback addresses needs no setup. Elsewhere, each address needs an alias.
                    if !matches!(sources, Sources::Subnet(_)) || error.kind() != io::ErrorKind::AddrNotAvailable {
                        return Err(error);
                    }
                    self.warn_of_missing_subnet(source);
                    return socket::connect(address, None, &self.settings.socket).await.map_err(socket::Error::into_io);
                }
            }
        }
    }

    fn sources(&self, destination: SocketAddr) -> Sources<'_> {
        let loopback = destination.ip().to_canonical().is_loopback();
        match (&self.settings.subnet, destination.is_ipv4() && loopback) {
            (Some(subnet), true) => Sources::Subnet(subnet),
            _ if loopback => Sources::Kernel,
            _ => {
                let count = self.settings.addresses.iter().filter(|a| a.is_ipv4() == destination.is_ipv4()).count();
                if count == 0 { Sources::Kernel } else { Sources::Addresses(u32::try_from(count).unwrap_or(u32::MAX)) }
            }
        }
    }

    fn next_source(&self, sources: Sources<'_>, destination: SocketAddr) -> Option<IpAddr> {
        match sources {
            Sources::Kernel => None,
            Sources::Subnet(subnet) => Some(IpAddr::V4(subnet.next_address())),
            Sources::Addresses(count) => {
                let turn = self.shared.next_address.fetch_add(1, Ordering::Relaxed) % count;
                let same_family = self.settings.addresses.iter().filter(|a| a.is_ipv4() == destination.is_ipv4());
                same_family.copied().nth(turn as usize)
            }
        }
    }

    fn warn_of_missing_subnet(&self, source: Option<IpAddr>) {
        if !self.shared.warned.swap(true, Ordering::Relaxed) {
            let source = source.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
            tracing::warn!(
                "this system has no address {source}: the kernel chooses the source of connections, and ports can run out"
            );
        }
    }
}

/// Resolvers that do not know the port return 0.
fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    if address.port() == 0 {
        address.set_port(port);
    }
    address
}

#[derive(Debug, Clone, Copy)]
enum Sources<'a> {
    Kernel,
    Subnet(&'a SourceSubnet),
    /// The number of configured addresses of the destination's family.
    Addresses(u32),
}

impl Sources<'_> {
    fn count(self) -> u32 {
        match self {
            Self::Kernel => 1,
            Self::Subnet(subnet) => subnet.addresses().min(MAX_SOURCES),
            Self::Addresses(count) => count.min(MAX_SOURCES),
        }
    }
}

impl Service<Uri> for SourceConnector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    // Boxed, because this happens once per connection, not per request.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            let host = uri.host().ok_or_else(|| ConnectError::no_host(&uri))?;
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            ConnectError::refuse_tls(&uri)?;
            let stream = connector.connect(host, uri.port_u16().unwrap_or(80)).await?;
            Ok(TokioIo::new(stream))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lookup_counts_towards_the_connect_timeout() {
        let resolver =
            Resolver::new(tower::service_fn(async |_| std::future::pending::<io::Result<[SocketAddr; 1]>>().await));
        let connector = SourceConnector::new().resolver(resolver).connect_timeout(Duration::from_secs(3));
        let start = Instant::now();
        let error = connector.connect("slow.test", 80).await.unwrap_err();
        assert!(error.is_timeout());
        assert_eq!(error.to_string(), "slow.test was not resolved in time");
        assert_eq!(start.elapsed(), Duration::from_secs(3));
    }
}
