//! Routes.

mod answer;
mod hsts;
mod inherited;
mod matchers;
mod order;
mod place;
mod read;
mod redirection;
mod requests;
mod respond;
mod scope;
mod tls;

use std::{fmt, time::Duration};

use http::HeaderValue;
use pmesh_layers::{
    host::HostPattern,
    route::{Conditions, PathPrefix, PathRegex, RoutePath},
};

pub use self::{
    answer::Answer,
    hsts::Hsts,
    inherited::Inherited,
    order::{Hidden, hidden, in_matching_order},
    place::{Place, ShownPath},
    redirection::Redirection,
    respond::Respond,
    tls::{AcceptedCertificates, ClientCertificate, PemFile, UpstreamTls},
};
pub(super) use self::{
    inherited::inherited,
    read::{RootDefaults, read},
    scope::Scope,
};
use super::{endpoint::Endpoint, listener::Listener, origin::Origin};

/// The host of requests between nodes; no route can serve it.
pub const API_HOST: &str = "pmesh.internal";

/// Which requests it is for, and how they are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its name in logs and reports.
    pub name: String,
    /// The hosts it is for; at least one.
    pub patterns: Vec<HostPattern>,
    /// The paths it is for; at least one.
    pub paths: Vec<RoutePath>,
    /// What else a request must have.
    pub conditions: Conditions,
    /// The listeners that serve it: at least one, without duplicates.
    pub listeners: Vec<Listener>,
    /// How its requests are answered.
    pub answer: Answer,
    /// Whether requests without TLS are redirected to https.
    pub redirect_https: bool,
    /// Whether browsers are told to use https only.
    pub hsts: Option<Hsts>,
    /// Whether the upstream sees the path without the prefix.
    pub strip_prefix: bool,
    /// Whether to forward paths that the upstream may read as a path of another route.
    pub allow_ambiguous_paths: bool,
    /// The Host header that the upstream gets; `None`: the client's.
    pub host_header: Option<HeaderValue>,
    /// TLS settings for connections to the endpoints.
    pub tls: UpstreamTls,
    /// How long a request may spend on connecting, over all endpoints.
    pub connect_timeout: Duration,
    /// How long a request may wait for the head of its response, over all endpoints.
    pub response_timeout: Duration,
    /// How long a request may go without progress in either direction once its response has begun.
    pub stall_timeout: Duration,
    /// How long a tunnel, an event stream or a gRPC stream may be idle.
    pub stream_timeout: Duration,
    /// Maximum size of a request body in bytes.
    pub max_body: Option<u64>,
    /// Where it was written.
    pub origin: Origin,
}

impl Route {
    /// The endpoints that its requests go to; none if it needs no upstream.
    pub fn endpoints(&self) -> &[Endpoint] {
        match &self.answer {
            Answer::Upstream(endpoints) => endpoints,
            Answer::Redirect(_) | Answer::Respond(_) => &[],
        }
    }

    /// The prefixes of its paths.
    pub fn prefixes(&self) -> impl Iterator<Item = &PathPrefix> {
        self.paths.iter().filter_map(|path| match path {
            RoutePath::Prefix(prefix) | RoutePath::Regex(prefix, _) => Some(prefix),
            _ => None,
        })
    }

    /// The regular expression for its paths, if it has one.
    pub fn path_regex(&self) -> Option<&PathRegex> {
        self.paths.iter().find_map(|path| if let RoutePath::Regex(_, regex) = path { Some(regex) } else { None })
    }

    /// Each host with each path.
    pub fn places(&self) -> impl Iterator<Item = Place<'_>> {
        let conditions = &self.conditions;
        let of_host = move |host| self.paths.iter().map(move |path| Place { host, path, conditions });
        self.patterns.iter().flat_map(of_host)
    }
}

/// `example.com/api -> 127.0.0.1:9001`
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, place) in self.places().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{place}")?;
        }
        write!(f, " -> {}", self.answer)
    }
}
