//! Routes.

mod answer;
mod place;
mod read;
mod scope;
mod tls;

use std::{fmt, time::Duration};

use http::HeaderValue;
use pmesh_layers::{host::HostPattern, route::PathPrefix};

pub use self::{
    answer::Answer,
    tls::{CaFile, UpstreamTls},
};
pub(super) use self::{
    read::{RootDefaults, read},
    scope::{Scope, scopes},
};
use super::{endpoint::Endpoint, origin::Origin};

/// The host for which nodes ask each other; no route can serve it.
pub const API_HOST: &str = "pmesh.internal";

/// Which requests are answered how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// What it is called in logs and reports; unique.
    pub name: String,
    /// The hosts it is for; at least one.
    pub patterns: Vec<HostPattern>,
    /// What the path must start with, in whole segments: one of these, of which there is at least one.
    pub prefixes: Vec<PathPrefix>,
    /// How its requests are answered.
    pub answer: Answer,
    /// Whether the upstream sees the path without the prefix.
    pub strip_prefix: bool,
    /// Whether to forward paths that the upstream may read as a path of another route.
    pub allow_ambiguous_paths: bool,
    /// The Host header that the upstream gets; `None`: the client's.
    pub host_header: Option<HeaderValue>,
    /// How TLS to the endpoints is made.
    pub tls: UpstreamTls,
    /// How long a request may spend on connecting, over all endpoints.
    pub connect_timeout: Duration,
    /// How long a request may wait for the head of its response, over all endpoints.
    pub response_timeout: Duration,
    /// How long a request and its response may both make no progress once the response has begun.
    pub stall_timeout: Duration,
    /// How long a tunnel, an event stream or a gRPC stream may be idle.
    pub stream_timeout: Duration,
    /// Maximum size of a request body in bytes.
    pub max_body: Option<u64>,
    /// Where it was written.
    pub origin: Origin,
}

impl Route {
    /// The endpoints that its requests go to; none if they are answered otherwise.
    pub fn endpoints(&self) -> &[Endpoint] {
        match &self.answer {
            Answer::Upstream(endpoints) => endpoints,
        }
    }

    /// Each host with each path.
    pub fn places(&self) -> impl Iterator<Item = (&HostPattern, &PathPrefix)> {
        self.patterns.iter().flat_map(|pattern| self.prefixes.iter().map(move |prefix| (pattern, prefix)))
    }
}

/// `example.com/api -> 127.0.0.1:9001`
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (pattern, prefix)) in self.places().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{pattern}{prefix}")?;
        }
        write!(f, " -> {}", self.answer)
    }
}
