//! The settings.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use ipnet::{IpNet, Ipv4Net};
use pmesh_layers::{forwarded::ProxyHeaders, identity::NodeName};

use super::{Admin, CertificateFiles, H2c, Mesh, NamedListener, Port, Route, SecretSource};

/// Everything that can be set, validated. [`Source::load`](crate::config::Source::load) makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The port for clients without TLS.
    pub http: Port,
    /// The port for clients with TLS.
    pub https: Port,
    /// The port for other nodes.
    pub internal: Port,
    /// The addresses that these three listen on; at least one, and none that is part of another.
    pub bind: Vec<IpAddr>,
    /// Whether HTTP/2 is spoken on `http`.
    pub http_h2c: H2c,
    /// More ports for clients, by name. No two listeners of any kind share a port on an address, unless it is 0.
    pub named_listeners: Vec<NamedListener>,
    /// Whether requests without TLS are redirected to https. The default for routes.
    pub redirect_https: bool,
    /// The routes in the order of the file, then the redirects. May be empty.
    pub routes: Vec<Route>,
    /// Source addresses for connections to loopback upstreams. [`SourceSubnet`](pmesh_layers::connect::SourceSubnet)
    /// accepts it.
    pub subnet_dialer: Ipv4Net,
    /// Addresses for local services. Does not overlap `subnet_dialer`.
    pub subnet_service: Ipv4Net,
    /// Source addresses for connections to other upstreams; empty: the kernel picks.
    pub source_addresses: Vec<IpAddr>,
    /// How long a request may spend on connecting, over all upstreams of its route.
    pub connect_timeout: Duration,
    /// How long a request may wait for the head of its response. The default for routes.
    pub response_timeout: Duration,
    /// How long an idle connection to an upstream is kept.
    pub pool_idle_timeout: Duration,
    /// Maximum age at which a connection to an upstream takes new requests; `None`: no maximum.
    pub pool_max_age: Option<Duration>,
    /// Maximum number of idle connections that each worker keeps to one endpoint; 0: none.
    pub pool_idle_max: usize,
    /// How long a client may take to name a served host.
    pub silence_deadline: Duration,
    /// How long a client connection may wait for its next request.
    pub keep_alive_timeout: Duration,
    /// How long the head of a later request may take, from its first byte to its last.
    pub head_timeout: Duration,
    /// How long a request may go without progress in either direction once its response has begun.
    pub stall_timeout: Duration,
    /// Minimum rate of a request body in bytes per second, until the response begins; 0: none.
    pub body_min_rate: u64,
    /// How long a tunnel, an event stream or a gRPC stream may be idle in both directions.
    pub stream_timeout: Duration,
    /// Maximum number of client connections, at least 1; `None`: as many as the limit of open files allows.
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
    /// Proxies in front whose headers about the client are trusted.
    pub trusted_proxies: Vec<IpNet>,
    /// Which of their headers are believed.
    pub trusted_proxy_headers: ProxyHeaders,
    /// Whether requests to upstreams carry `Via`.
    pub via: bool,
    /// Certificates the user brings. Names none of them covers get one from the local authority.
    pub certificates: Vec<CertificateFiles>,
    /// Where the secret is to be read.
    pub secret: SecretSource,
    /// What this node is called.
    pub node: NodeName,
    /// Other nodes, and how they find each other.
    pub mesh: Mesh,
    /// A directive for `tracing_subscriber::EnvFilter`, which accepts it.
    pub log: String,
    /// How the log is written.
    pub log_format: LogFormat,
    /// Whether each request is logged.
    pub access_log: bool,
    /// The folder for what the program keeps.
    pub home: PathBuf,
    /// Number of worker threads, at least 1.
    pub workers: usize,
    /// How long requests in flight may take to finish on shutdown.
    pub shutdown_timeout: Duration,
    /// Where commands ask this node.
    pub admin: Admin,
    /// Whether the file is read again when it changes.
    pub watch_config: bool,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
