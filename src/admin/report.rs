//! What the admin API answers.
//!
//! Fields may be added; existing ones keep their name and meaning. Moments are in seconds since 1970.

use pmesh_layers::identity::{Authority, IdentityError};
use serde::{Deserialize, Serialize};

use crate::{
    mesh::{CountersReport, HealthReport, ListenerReport, NodeReport, PeersReport, RegistryReport},
    secret::{CONTEXT, Secrets},
};

/// What a node is and does: `/v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusReport {
    /// Who it is.
    pub node: NodeReport,
    /// The configuration that is in use; `None` from a node that was asked through another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<ConfigurationReport>,
    /// Whether it serves.
    pub health: HealthReport,
    /// Whether it has a registry.
    pub registry: RegistryReport,
    /// What it has done since its start.
    pub counters: CountersReport,
    /// The nodes that it knows.
    #[serde(flatten)]
    pub peers: PeersReport,
}

/// Which configuration a process uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigurationReport {
    /// The process id.
    pub pid: u32,
    /// 1 at the start; one more with each reload that succeeded.
    pub generation: u64,
    /// When it was built.
    pub since: u64,
    /// The configuration file; `None` without one.
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
    /// For people.
    pub message: String,
    /// When it happened; `None` if that is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<u64>,
}

/// What is served: `/v1/routes`.
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
    /// Names, or `*.` and a name.
    pub hosts: Vec<String>,
    /// Prefixes such as `/api`; exact paths such as `/robots.txt (exact)`; regular expressions such as `/ ~ ^/u/[0-9]+$`.
    pub paths: Vec<String>,
    /// What else a request must have, such as `POST, upgrade websocket`; `None`: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<String>,
    /// The addresses that requests are sent to; none if the route needs no upstream.
    pub upstream: Vec<String>,
    /// Status and target of a redirect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect: Option<String>,
    /// The status of a fixed response, or `silence`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub respond: Option<String>,
    /// The names of the listeners that serve it.
    pub listeners: Vec<String>,
    /// Whether the upstream sees the path without the prefix.
    pub strip_prefix: bool,
    /// Whether paths are forwarded that the upstream may read as those of another route.
    pub allow_ambiguous_paths: bool,
    /// The Host header that the upstream gets; `None`: the client's.
    pub host_header: Option<String>,
    /// TLS settings for the upstreams, if there are any.
    pub tls: Option<RouteTlsReport>,
    /// Whether requests without TLS are redirected to https.
    pub redirect_https: bool,
    /// How long browsers use https only, such as `365d`; `None` without HSTS.
    pub hsts: Option<String>,
    /// How long a request may spend on connecting, such as `5s`.
    pub connect_timeout: String,
    /// How long a request may wait for the head of its response.
    pub response_timeout: String,
    /// How long a request may go without progress in either direction.
    pub stall_timeout: String,
    /// How long a tunnel, an event stream or a gRPC stream may be idle.
    pub stream_timeout: String,
    /// Maximum size of a request body in bytes; `None`: no limit.
    pub max_body: Option<u64>,
}

/// TLS settings for the upstreams of a route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTlsReport {
    /// The file of the authority; `None`: those that the system trusts.
    pub ca: Option<String>,
    /// The name on the certificate; `None`: the host of the endpoint.
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

/// Where requests are sent: `/v1/upstreams`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamsReport {
    /// By address.
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
    /// Since when; `None` before the first request.
    pub since: Option<u64>,
    /// How often it has failed in a row.
    pub consecutive_failures: u64,
    /// Until when no request is sent there, as long as another endpoint works.
    pub left_alone_until: Option<u64>,
    /// The last failure, which may be over.
    pub last_error: Option<ErrorReport>,
    /// Requests sent there.
    pub requests: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Open connections.
    pub open_connections: u64,
    /// Those of them that are idle.
    pub idle_connections: u64,
}

/// Whether an endpoint works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointState {
    /// The last request was answered.
    Ok,
    /// The last request failed.
    Failed,
    /// No request has been sent there.
    Unknown,
}

/// What a reload has changed: the answer of `POST /v1/reload`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// The generation that serves now.
    pub generation: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Routes, as in `app.example.com/api`.
    pub routes: ChangesReport,
    /// The settings that have another value now, by key.
    pub settings: Vec<String>,
    /// Changed settings that take effect at the next start, by key.
    pub needs_restart: Vec<String>,
    /// Listeners that were opened.
    pub opened: Vec<ListenerReport>,
    /// Listeners that were closed.
    pub closed: Vec<ListenerReport>,
    /// Possible mistakes, as `pmesh check` prints them.
    pub warnings: Vec<String>,
}

/// What there is now and was not before, and the other way round.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesReport {
    /// New.
    pub added: Vec<String>,
    /// Still there, but different.
    pub changed: Vec<String>,
    /// Gone.
    pub removed: Vec<String>,
}

/// The secret in use: the answer of `POST /v1/secret/reload`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretReport {
    /// The fingerprint of the authority that clients see.
    pub public_authority: String,
    /// Whether an old secret is accepted as well.
    pub rotating: bool,
}

impl SecretReport {
    /// What there is to say of `secrets`, without telling them.
    ///
    /// # Errors
    ///
    /// If nothing can be derived from them.
    pub fn of(secrets: &Secrets) -> Result<Self, IdentityError> {
        let public_authority = Authority::derive(secrets.public(), CONTEXT)?.fingerprint().to_string();
        Ok(Self { public_authority, rotating: secrets.old_one().is_some() })
    }
}
