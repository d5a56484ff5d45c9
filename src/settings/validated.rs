//! The validated settings.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use ipnet::{IpNet, Ipv4Net};
use pmesh_layers::{forwarded::ProxyHeaders, identity::NodeName};

use super::{Admin, CertificateFiles, H2c, Mesh, NamedListener, Port, Route, SecretSource, Service};

/// All settings, validated. [`Source::load`](crate::config::Source::load) returns them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The port for clients without TLS.
    pub http: Port,
    /// The port for clients with TLS.
    pub https: Port,
    /// The port for other nodes.
    pub internal: Port,
    /// The addresses that these three listen on. There is at least one, and they do not overlap.
    pub bind: Vec<IpAddr>,
    /// Whether `http` supports HTTP/2.
    pub http_h2c: H2c,
    /// Additional listeners for clients. No two listeners of any kind share a port on the same address, unless it is 0.
    pub named_listeners: Vec<NamedListener>,
    /// Whether requests without TLS are redirected to https. The default for routes.
    pub redirect_https: bool,
    /// The routes in the order of the file, then the redirects. May be empty.
    pub routes: Vec<Route>,
    /// Source addresses for connections to loopback upstreams. Valid as a
    /// [`SourceSubnet`](pmesh_layers::connect::SourceSubnet).
    pub subnet_dialer: Ipv4Net,
    /// Addresses for local services, such as the backend of the demo. Does not overlap `subnet_dialer`.
    pub subnet_service: Ipv4Net,
    /// Source addresses for connections to other upstreams. If this is empty, the kernel picks one.
    pub source_addresses: Vec<IpAddr>,
    /// How long a request may spend connecting, counting all endpoints it tries. The default for routes.
    pub connect_timeout: Duration,
    /// How long a request may wait for the head of its response, counting all endpoints it tries. The default for
    /// routes.
    pub response_timeout: Duration,
    /// How long an idle connection to an upstream is kept.
    pub pool_idle_timeout: Duration,
    /// Age after which a connection to an upstream gets no new requests; `None`: no maximum.
    pub pool_max_age: Option<Duration>,
    /// Maximum number of idle connections that each worker keeps to one endpoint; 0: none.
    pub pool_idle_max: usize,
    /// How long a client may take to name a served host.
    pub silence_deadline: Duration,
    /// How long an idle client connection is kept open for its next request.
    pub keep_alive_timeout: Duration,
    /// How long the head of a request may take, from its first byte to its last. For the first request on `http`,
    /// `silence_deadline` applies instead.
    pub head_timeout: Duration,
    /// How long a request may go without progress in either direction once its response has begun. The default for
    /// routes.
    pub stall_timeout: Duration,
    /// Minimum rate of a request body in bytes per second until the response begins; 0: none.
    pub body_min_rate: u64,
    /// How long a tunnel, an event stream or a gRPC stream may be idle in both directions. The default for routes.
    pub stream_timeout: Duration,
    /// Maximum number of client connections, at least 1; `None`: half the limit of open files.
    pub max_connections: Option<usize>,
    /// Maximum number of connections from one client; 0: no limit.
    pub max_connections_per_client: usize,
    /// Maximum size of a request body in bytes. The default for routes.
    pub max_body: Option<u64>,
    /// Maximum size of a request head in bytes.
    pub max_head: u32,
    /// Maximum number of headers in an HTTP/1 request.
    pub max_fields: usize,
    /// Maximum number of concurrent requests on an HTTP/2 connection.
    pub max_streams: u32,
    /// Proxies in front of pmesh whose headers about the client are trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// Which of their headers to use.
    pub trusted_proxy_headers: ProxyHeaders,
    /// Whether to add a `Via` header to requests.
    pub via: bool,
    /// Local programs that pmesh runs, sorted by name.
    pub services: Vec<Service>,
    /// The user's certificates. Other names get a certificate from the local authority.
    pub certificates: Vec<CertificateFiles>,
    /// Where the secret comes from.
    pub secret: SecretSource,
    /// The name of this node.
    pub node: NodeName,
    /// Other nodes, and how nodes find and trust each other.
    pub mesh: Mesh,
    /// A filter for the log, valid for `tracing_subscriber::EnvFilter`.
    pub log: String,
    /// The format of the log.
    pub log_format: LogFormat,
    /// Whether to log each request.
    pub access_log: bool,
    /// The folder for the files of the program, such as the secret.
    pub home: PathBuf,
    /// Number of worker threads, at least 1.
    pub workers: usize,
    /// How long requests in flight may take to finish on shutdown.
    pub shutdown_timeout: Duration,
    /// Where this node listens for commands.
    pub admin: Admin,
    /// Whether to reload when a configuration file changes.
    pub watch_config: bool,
}

/// The format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}
