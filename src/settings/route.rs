//! Routes.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    path::PathBuf,
    time::Duration,
};

use http::HeaderValue;
use pmesh_layers::{host::HostPattern, route::PathPrefix};
use rustls::pki_types::ServerName;

use super::{endpoint::Endpoint, upstream::UpstreamName};
use crate::config::{Merged, Node, Problems, ROUTE_KEYS, SizeLimit};

/// The host for which nodes ask each other; no route can serve it.
pub const API_HOST: &str = "pmesh.internal";

/// Which requests go where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The hosts it is for; at least one.
    pub patterns: Vec<HostPattern>,
    /// What the path must start with, in whole segments.
    pub prefix: PathPrefix,
    /// The addresses of the upstream; at least one.
    pub upstreams: Vec<Endpoint>,
    /// Whether the upstream sees the path without the prefix.
    pub strip_prefix: bool,
    /// Whether to forward paths that the upstream may read as a path of another route.
    pub allow_ambiguous_paths: bool,
    /// The Host header that the upstream gets; `None`: the client's.
    pub upstream_host: Option<HeaderValue>,
    /// The authority that upstreams with TLS need a certificate of; `None`: any that the system trusts.
    pub upstream_ca: Option<CaFile>,
    /// The name that the certificates of upstreams with TLS must be valid for; `None`: the host of each.
    pub upstream_name: Option<ServerName<'static>>,
    /// How long a request may wait for the head of its response.
    pub response_timeout: Duration,
    /// Maximum size of a request body in bytes.
    pub max_body: Option<u64>,
}

/// What a route is where it does not say so itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Defaults {
    pub(super) response_timeout: Duration,
    pub(super) max_body: Option<u64>,
}

/// A file of certificates, in PEM, that are trusted to issue others. Equal to another that names the same file elsewhere.
#[derive(Debug, Clone, Eq)]
pub struct CaFile {
    /// The file.
    pub path: PathBuf,
    /// Where the user named it, to be told when it cannot be used.
    pub origin: String,
}

impl PartialEq for CaFile {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pattern) in self.patterns.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{pattern}{}", self.prefix)?;
        }
        for (index, upstream) in self.upstreams.iter().enumerate() {
            let arrow = if index == 0 { " -> " } else { ", " };
            write!(f, "{arrow}{upstream}")?;
        }
        Ok(())
    }
}

/// Reads all routes; `defaults` are for those that set none of their own.
pub(super) fn read(merged: &Merged, defaults: Defaults, problems: &mut Problems) -> Vec<Route> {
    let mut taken = BTreeMap::new();
    let mut routes: Vec<Route> = Vec::new();
    for table in merged.elements("routes", problems) {
        let Some(route) = from_table(&table, defaults, problems) else { continue };
        for pattern in &route.patterns {
            match taken.entry((pattern.clone(), route.prefix.clone())) {
                Entry::Vacant(free) => {
                    free.insert((routes.len(), table.clone()));
                }
                Entry::Occupied(first) => {
                    let (index, other) = first.get();
                    let (place, prefix) = (other.place(), &route.prefix);
                    let other = routes.get(*index).unwrap_or(&route);
                    problems.push(
                        table.problem(format!(
                            "{pattern}{prefix} has two routes: `{route}` here and `{other}` by {place}"
                        )),
                    );
                }
            }
        }
        routes.push(route);
    }
    routes
}

fn from_table(table: &Node<'_>, defaults: Defaults, problems: &mut Problems) -> Option<Route> {
    if table.value.as_dict().is_none() {
        let expected = if table.is_from_file() {
            "a table with host and upstreams"
        } else {
            "HOST[/PREFIX]=UPSTREAM[,UPSTREAM…]"
        };
        problems.push(table.unexpected(expected));
        return None;
    }
    let patterns = patterns(table, problems);
    if patterns.iter().any(|pattern| matches!(pattern, HostPattern::Exact(name) if name.as_str() == API_HOST)) {
        problems.push(table.problem(format!("{API_HOST} is what nodes ask each other for: no route can serve it")));
    }
    let prefix = table.field("prefix").map_or_else(|| Some(PathPrefix::root()), |node| node.read(problems));
    let upstreams = upstreams(table, problems);
    let strip_prefix = table.field("strip_prefix").map_or(Some(false), |node| node.read(problems));
    let allow_ambiguous_paths = table.field("allow_ambiguous_paths").map_or(Some(false), |node| node.read(problems));
    let upstream_host = table.field("upstream_host").map(|node| node.read(problems));
    let upstream_ca = for_tls(table, "upstream_ca", &upstreams, problems)
        .map(|node| Some(CaFile { path: node.read(problems)?, origin: node.place() }));
    let upstream_name = for_tls(table, "upstream_name", &upstreams, problems)
        .map(|node| node.read(problems).map(|UpstreamName(name)| name));
    let response_timeout =
        table.field("response_timeout").map_or(Some(defaults.response_timeout), |node| node.read(problems));
    let max_body = table.field("max_body").map_or(Some(SizeLimit(defaults.max_body)), |node| node.read(problems));
    Some(Route {
        patterns,
        prefix: prefix?,
        upstreams,
        strip_prefix: strip_prefix?,
        allow_ambiguous_paths: allow_ambiguous_paths?,
        // None of the route if it is there and unreadable.
        upstream_host: upstream_host.map_or(Some(None), |host| host.map(Some))?,
        upstream_ca: upstream_ca.map_or(Some(None), |ca| ca.map(Some))?,
        upstream_name: upstream_name.map_or(Some(None), |name| name.map(Some))?,
        response_timeout: response_timeout?,
        max_body: max_body?.0,
    })
}

fn patterns(table: &Node<'_>, problems: &mut Problems) -> Vec<HostPattern> {
    match (table.field("host"), table.field("hosts")) {
        (Some(host), None) => host.read(problems).into_iter().collect(),
        (None, Some(hosts)) if !is_empty(&hosts) => hosts.read_list(problems),
        (Some(_), Some(_)) => {
            problems.push(table.problem("`host` and `hosts` are both set: a route has one of them"));
            Vec::new()
        }
        (None, _) => {
            table.lacks("no host: set `host`, or `hosts` for several", ROUTE_KEYS, problems);
            Vec::new()
        }
    }
}

fn is_empty(list: &Node<'_>) -> bool {
    list.value.as_array().is_some_and(<[_]>::is_empty)
}

fn upstreams(table: &Node<'_>, problems: &mut Problems) -> Vec<Endpoint> {
    match table.field("upstreams") {
        Some(list) if !is_empty(&list) => list.read_list(problems),
        _ => {
            table.lacks(format!("no upstream{}: name at least one address", for_host(table)), ROUTE_KEYS, problems);
            Vec::new()
        }
    }
}

/// A field that only upstreams with TLS have a use for.
fn for_tls<'a>(table: &Node<'a>, key: &str, upstreams: &[Endpoint], problems: &mut Problems) -> Option<Node<'a>> {
    let node = table.field(key)?;
    // Where an upstream could not be read there is a problem already.
    if !upstreams.is_empty() && !upstreams.iter().any(Endpoint::is_tls) {
        problems
            .push(node.problem("it is for upstreams with TLS (https:// or h2://), and the route has none".to_owned()));
        return None;
    }
    Some(node)
}

/// Tells routes of one flag or variable apart.
fn for_host(table: &Node<'_>) -> String {
    let host = table.field("host").filter(|host| host.references().is_none());
    host.and_then(|host| Some(format!(" for {:?}", host.value.as_str()?))).unwrap_or_default()
}
