//! The JSON that the admin API returns.
//!
//! Fields can be added; existing ones keep their name and meaning. Times are in seconds since 1970.

use std::collections::BTreeMap;

use pmesh_layers::identity::{Authority, IdentityError};
use serde::{Deserialize, Serialize};

use crate::{
    mesh::{CountersReport, HealthReport, ListenerReport, NodeReport, PeersReport, RegistryReport},
    secret::{CONTEXT, Secrets},
    services::report::ServiceState,
};

/// The state of a node: `/v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// Its name, version and listeners.
    pub node: NodeReport,
    /// The configuration in use; `None` for a node that was queried through another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<ConfigurationReport>,
    /// Whether it accepts requests.
    pub health: HealthReport,
    /// The state of its registry, if it uses one.
    pub registry: RegistryReport,
    /// Its connections, requests and rejections since startup.
    pub counters: CountersReport,
    /// The keys for tokens (`jwt`) that it fetches from URLs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jwt_keys: Vec<JwtKeysReport>,
    /// The names of its services, by state.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<ServiceState, Vec<String>>,
    /// The nodes that it knows.
    #[serde(flatten)]
    pub peers: PeersReport,
}

/// The keys for tokens at a URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JwtKeysReport {
    /// The URL.
    pub url: String,
    /// The number of keys.
    pub keys: usize,
    /// Why they cannot be fetched, and since when, if the last fetch failed.
    pub error: Option<ErrorReport>,
}

/// The configuration that a process uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationReport {
    /// The process id.
    pub pid: u32,
    /// 1 at startup, then one more with each successful reload.
    pub generation: u64,
    /// When it was built.
    pub since: u64,
    /// The configuration file; `None` if there is none.
    pub file: Option<String>,
    /// How many files the main file includes.
    #[serde(default)]
    pub included: usize,
    /// Why the last reload failed, if none has succeeded since.
    pub error: Option<ErrorReport>,
}

/// What went wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// The message, for people.
    pub message: String,
    /// When it happened; `None` for the request that this is the response to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<u64>,
}

/// The routes that are served: `/v1/routes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutesReport {
    /// In the order of the configuration.
    pub routes: Vec<RouteReport>,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteReport {
    /// Its name.
    pub name: String,
    /// Host names, or `*.` and a name.
    pub hosts: Vec<String>,
    /// Prefixes such as `/api`; exact paths such as `/robots.txt (exact)`; regular expressions such as `/ ~ ^/u/[0-9]+$`.
    pub paths: Vec<String>,
    /// What else a request must have, such as `POST, upgrade websocket`; `None` if there are no conditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<String>,
    /// The addresses that requests are sent to; empty if the route has no upstream.
    pub upstream: Vec<String>,
    /// The folder with the files of the route. If the route also has an upstream, requests for missing files go there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<String>,
    /// Status and target of a redirect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// The status of a fixed response, or `silence`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub respond: Option<String>,
    /// The names of the listeners that serve it.
    pub listeners: Vec<String>,
    /// Whether the prefix is removed from the path that the upstream sees.
    pub strip_prefix: bool,
    /// Whether to forward a path that the upstream may read as the path of another route.
    pub allow_ambiguous_paths: bool,
    /// The Host header sent to the upstream; `None` for the client's.
    pub host_header: Option<String>,
    /// TLS settings for the upstreams, if there are any.
    pub tls: Option<RouteTlsReport>,
    /// The keys of its middleware, such as `rate_limit`, in the order in which requests pass it.
    #[serde(default)]
    pub middleware: Vec<String>,
    /// Whether requests without TLS are redirected to https.
    pub redirect_https: bool,
    /// How long browsers must use https, such as `365d`; `None` without HSTS.
    pub hsts: Option<String>,
    /// Timeout for connecting, such as `5s`.
    pub connect_timeout: String,
    /// Timeout for the head of the response.
    pub response_timeout: String,
    /// How long a request can go without progress in either direction.
    pub stall_timeout: String,
    /// How long a tunnel, an event stream or a gRPC stream can be idle.
    pub stream_timeout: String,
    /// Maximum size of a request body in bytes; `None` for no limit.
    pub max_body: Option<u64>,
}

/// TLS settings for the upstreams of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTlsReport {
    /// The file with the trusted authority; `None` if the system's authorities are trusted.
    pub ca: Option<String>,
    /// The name that the certificate must have; `None` for the host of the endpoint.
    pub server_name: Option<String>,
    /// The file of the certificate that pmesh presents.
    #[serde(default)]
    pub cert: Option<String>,
    /// The file of its private key.
    #[serde(default)]
    pub key: Option<String>,
    /// Whether any certificate is accepted.
    #[serde(default)]
    pub skip_verify: bool,
}

/// The endpoints: `/v1/upstreams`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamsReport {
    /// Sorted by address.
    pub endpoints: Vec<EndpointReport>,
}

/// One endpoint, summed over the workers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointReport {
    /// As in the configuration, such as `https://backend:443`.
    pub address: String,
    /// The routes that use it, such as `app.example.com/api`.
    pub routes: Vec<String>,
    /// Whether it works.
    pub state: EndpointState,
    /// When it entered this state; `None` before the first request.
    pub since: Option<u64>,
    /// How many times it has failed in a row.
    pub consecutive_failures: u64,
    /// Until when it gets no requests while another endpoint works.
    pub left_alone_until: Option<u64>,
    /// The last failure, even if the endpoint works again.
    pub last_error: Option<ErrorReport>,
    /// Requests sent there.
    pub requests: u64,
    /// How many of them failed.
    pub failures: u64,
    /// Open connections.
    pub open_connections: u64,
    /// How many of them are idle.
    pub idle_connections: u64,
}

/// Whether an endpoint works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointState {
    /// The last request got a response.
    Ok,
    /// The last request failed.
    Failed,
    /// No request has been sent there.
    Unknown,
    /// An instance of a service that gets no new requests, and finishes those in flight.
    Draining,
}

/// The changes that a reload made: the response to `POST /v1/reload`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// The generation that serves now.
    pub generation: u64,
    /// How long the reload took, in milliseconds.
    pub took_ms: u64,
    /// Changed routes, such as `app.example.com/api`.
    pub routes: ChangesReport,
    /// Changed services. Whether their new processes become ready shows only later, in the report on services.
    #[serde(default)]
    pub services: ChangesReport,
    /// Keys of the settings whose values changed.
    pub settings: Vec<String>,
    /// Keys of the changed settings that take effect only after a restart.
    pub needs_restart: Vec<String>,
    /// Listeners that were opened.
    pub opened: Vec<ListenerReport>,
    /// Listeners that were closed.
    pub closed: Vec<ListenerReport>,
    /// Likely mistakes, as `pmesh check` prints them.
    pub warnings: Vec<String>,
}

/// Differences between two configurations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesReport {
    /// Only in the new one.
    pub added: Vec<String>,
    /// In both, but different.
    pub changed: Vec<String>,
    /// Only in the old one.
    pub removed: Vec<String>,
}

/// The secret in use: the response to `POST /v1/secret/reload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretReport {
    /// The fingerprint of the authority that clients see.
    pub public_authority: String,
    /// Whether an old secret is still accepted.
    pub rotating: bool,
}

impl SecretReport {
    /// Describes `secrets` without revealing them.
    ///
    /// # Errors
    ///
    /// If nothing can be derived from them.
    pub fn from_secrets(secrets: &Secrets) -> Result<Self, IdentityError> {
        let public_authority = Authority::derive(secrets.public(), CONTEXT)?.fingerprint().to_string();
        Ok(Self { public_authority, rotating: secrets.old_one().is_some() })
    }
}
