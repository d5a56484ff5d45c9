//! What the program runs on: validated, typed settings.

mod certificate;
mod mesh;
mod node;
mod prefix;
mod read;
mod registry;
mod route;
mod secret;
mod summary;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use ipnet::{IpNet, Ipv4Net};
use pmesh_layers::{forwarded::ProxyHeaders, identity::NodeName};

pub use self::{
    certificate::CertificateFiles,
    mesh::{Mesh, MeshFile, MeshFiles},
    registry::{InvalidRegistry, Login, RegistryServers},
    route::{CaFile, Route},
    secret::{Secret, SecretSource},
    summary::summary,
};
pub(crate) use self::{
    certificate::KEYS as CERTIFICATE_KEYS,
    route::{KEYS as ROUTE_KEYS, PATHS as ROUTE_PATHS},
};

use crate::endpoint::{EndpointHost, HostPort};

/// Everything that can be set, validated. [`config::load`](crate::config::load) makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The port for clients without TLS.
    pub http: Port,
    /// The port for clients with TLS.
    pub https: Port,
    /// The port for other nodes. No two of the three are the same number, unless 0.
    pub internal: Port,
    /// The address that all three are opened on.
    pub bind: IpAddr,
    /// Whether HTTP/2 is spoken on `http`.
    pub http_h2c: H2c,
    /// What is served, in the order it was written. No host and prefix are there twice. May be empty.
    pub routes: Vec<Route>,
    /// Where connections to loopback upstreams leave from. [`SourceSubnet`](pmesh_layers::connect::SourceSubnet)
    /// accepts it.
    pub subnet_dialer: Ipv4Net,
    /// What local services are given addresses of. Does not overlap `subnet_dialer`.
    pub subnet_service: Ipv4Net,
    /// Where connections to other upstreams leave from; empty: the kernel picks.
    pub source_addresses: Vec<IpAddr>,
    /// How long a connection to an upstream may take to open.
    pub connect_timeout: Duration,
    /// How long an upstream may take until the head of its response. Each route carries its own, made from this.
    pub response_timeout: Duration,
    /// How long an unused connection to an upstream is kept.
    pub pool_idle_timeout: Duration,
    /// How long a connection to an upstream takes requests; `None`: for good.
    pub pool_max_age: Option<Duration>,
    /// How many unused connections one worker keeps to one endpoint; 0: none.
    pub pool_idle_max: usize,
    /// How long a client may take to name a host that is served.
    pub silence_deadline: Duration,
    /// How long a client's connection may wait for its next request.
    pub keep_alive_timeout: Duration,
    /// How long the head of a later request may take from its first byte on.
    pub head_timeout: Duration,
    /// How long nothing of a response or of its request may move, once the response has begun.
    pub body_timeout: Duration,
    /// How many bytes a second the body of a request has to bring until the response begins; 0: any number.
    pub body_min_rate: u64,
    /// How long a tunnel may be without a byte.
    pub tunnel_timeout: Duration,
    /// How many connections of clients may be open, from 1; `None`: as many as the limit of open files allows.
    pub max_connections: Option<usize>,
    /// How many of them one client may have; 0: any number.
    pub max_connections_per_client: usize,
    /// How long the body of a request may be, in bytes. Each route carries its own, made from this.
    pub max_body: Option<u64>,
    /// How long the head of a request may be, in bytes.
    pub max_head: u32,
    /// How many fields the head of a request of HTTP/1 may have.
    pub max_fields: usize,
    /// How many requests a client may have open at a time on a connection of HTTP/2.
    pub max_streams: u32,
    /// Proxies in front, whose word on the client's address is taken.
    pub trusted_proxies: Vec<IpNet>,
    /// Where their word stands.
    pub trusted_proxy_headers: ProxyHeaders,
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
    /// The folder of what the program keeps.
    pub home: PathBuf,
    /// How many threads serve: from 1.
    pub workers: usize,
    /// How long requests in flight may take to end when the program is told to stop.
    pub shutdown_timeout: Duration,
}

impl Settings {
    /// The address of a listener, or `None` where its port is off.
    pub fn address(&self, port: Port) -> Option<SocketAddr> {
        match port {
            Port::Off => None,
            Port::Number(port) => Some(SocketAddr::new(self.bind, port)),
        }
    }

    /// Where other nodes reach this one: what was set, else the address of the internal listener if it is bound to one
    /// address. `None` where they do not reach it.
    pub fn advertised(&self) -> Option<HostPort> {
        let own = self.address(self.internal)?;
        let bound = || HostPort { host: EndpointHost::Address(own.ip()), port: own.port() };
        self.mesh.advertise.clone().or_else(|| (!own.ip().is_unspecified()).then(bound))
    }
}

/// Where a listener listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// Nowhere.
    Off,
    /// On this port; on 0 the kernel picks one.
    Number(u16),
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Number(port) => port.fmt(f),
        }
    }
}

/// HTTP/2 without TLS, for clients that know of it beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum H2c {
    /// Not spoken.
    Off,
    /// Spoken; the server's SETTINGS are held back until a served name was seen.
    Silent,
    /// Spoken; SETTINGS are sent at once, for clients that wait for them. Gives up silence.
    Open,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
