//! Routes.

mod answer;
mod endpoints;
mod files;
mod hsts;
mod identity;
mod inherited;
mod matchers;
mod middleware;
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
    edit_path::{PathEdits, Rewrite},
    host::HostPattern,
    route::{Conditions, PathPrefix, PathRegex, RoutePath},
};

pub use self::{
    answer::Answer,
    files::Files,
    hsts::Hsts,
    inherited::Inherited,
    middleware::{Allowed, BasicAuth, Cors, ErrorPages, ForwardAuth, Jwt, JwtKeys, Middleware, Mirror, Rewriting},
    order::{Hidden, hidden, in_matching_order},
    place::{Place, ShownPath},
    redirection::Redirection,
    respond::Respond,
    tls::{AcceptedCertificates, ClientCertificate, PemFile, UpstreamTls},
};
pub(super) use self::{
    endpoints::Names,
    inherited::inherited,
    middleware::ReadPages,
    read::{RootDefaults, read},
    scope::Scope,
};
use super::{endpoint::Endpoint, listener::Listener, origin::Origin};

/// The host of requests between nodes. No route can serve it.
pub const API_HOST: &str = "pmesh.internal";

/// A route: which requests it is for, and how it answers them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its name in logs and reports.
    pub name: String,
    /// The hosts it is for. There is at least one.
    pub patterns: Vec<HostPattern>,
    /// The paths it is for. There is at least one.
    pub paths: Vec<RoutePath>,
    /// Further conditions on the request.
    pub conditions: Conditions,
    /// The listeners that serve it. There is at least one, and no duplicate.
    pub listeners: Vec<Listener>,
    /// How it answers its requests.
    pub answer: Answer,
    /// Whether requests without TLS are redirected to https.
    pub redirect_https: bool,
    /// How long browsers must use https only, if at all.
    pub hsts: Option<Hsts>,
    /// The middleware around its answer.
    pub middleware: Middleware,
    /// Whether to remove the prefix from the path before the request is forwarded.
    pub strip_prefix: bool,
    /// Whether to forward ambiguous paths, which a backend may read as the path of another route.
    pub allow_ambiguous_paths: bool,
    /// The Host header that the backend gets; `None`: the client's.
    pub host_header: Option<HeaderValue>,
    /// TLS settings for connections to the endpoints.
    pub tls: UpstreamTls,
    /// How long a request may spend connecting, counting all endpoints it tries.
    pub connect_timeout: Duration,
    /// How long a request may wait for the head of its response, counting all endpoints it tries.
    pub response_timeout: Duration,
    /// How long a request may go without progress in either direction once its response has begun.
    pub stall_timeout: Duration,
    /// How long a tunnel, an event stream or a gRPC stream may be idle.
    pub stream_timeout: Duration,
    /// Maximum size of a request body in bytes.
    pub max_body: Option<u64>,
    /// Where the user wrote it.
    pub origin: Origin,
}

/// An address to which requests of a route need connections.
#[derive(Debug, Clone, Copy)]
pub struct ConnectsTo<'a> {
    /// The address.
    pub endpoint: &'a Endpoint,
    /// TLS settings.
    pub tls: &'a UpstreamTls,
    /// How long a request may spend connecting.
    pub connect_timeout: Duration,
}

impl Route {
    /// The endpoints that its requests go to. Empty if the route has no upstream.
    pub fn endpoints(&self) -> &[Endpoint] {
        match &self.answer {
            Answer::Upstream(endpoints) | Answer::Files(_, endpoints) => endpoints,
            Answer::Redirect(_) | Answer::Respond(_) => &[],
        }
    }

    /// Where copies of its requests go. `None` if the route has no upstream.
    pub fn mirror(&self) -> Option<&Mirror> {
        self.middleware.mirror.as_ref().filter(|_| !self.endpoints().is_empty())
    }

    /// The endpoints that its requests and their copies go to.
    pub fn all_endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoints().iter().chain(self.mirror().map(|mirror| &mirror.upstream))
    }

    /// The addresses to which its requests need connections, other than nodes: its endpoints, its mirror, and its
    /// authentication server.
    pub fn connects_to(&self) -> impl Iterator<Item = ConnectsTo<'_>> {
        let upstream = |endpoint| ConnectsTo { endpoint, tls: &self.tls, connect_timeout: self.connect_timeout };
        let auth = self.middleware.forward_auth.as_ref().map(|auth| ConnectsTo {
            endpoint: &auth.server,
            tls: &auth.tls,
            connect_timeout: auth.connect_timeout(self),
        });
        self.all_endpoints().filter(|endpoint| !endpoint.is_mesh()).map(upstream).chain(auth)
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

    /// The changes to the path and the query of forwarded requests. A redirect and a fixed response change nothing.
    pub fn path_edits(&self) -> PathEdits {
        let mut edits = PathEdits::new();
        if matches!(self.answer, Answer::Redirect(_) | Answer::Respond(_)) {
            return edits;
        }
        let Middleware { rewrite, add_prefix, .. } = &self.middleware;
        if let Some(Rewriting { regex, to }) = rewrite {
            let rewrite = self.prefixes().cloned().fold(Rewrite::to(to.clone()), Rewrite::prefix);
            let regex = regex.as_ref().or_else(|| self.path_regex());
            edits = edits.rewrite(regex.cloned().into_iter().fold(rewrite, Rewrite::regex));
        }
        if self.strip_prefix {
            edits = edits.strip_prefix(self.prefixes().cloned());
        }
        if let Some(prefix) = add_prefix {
            edits = edits.add_prefix(prefix.clone());
        }
        if self.allow_ambiguous_paths { edits.literal() } else { edits }
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
