//! Finds routes that bypass the protection of another route, because they change the path.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use http::Uri;
use pmesh_layers::route::{PathPrefix, RoutePath, RouteTable};

use crate::{
    settings::{Answer, Listener, Middleware, Route, ServedPlace, Settings},
    upstream::Tables,
};

/// Keys that keep requests out.
const GUARDS: [&str; 5] = ["allow", "deny", "basic_auth", "forward_auth", "jwt"];

/// Warns of routes that turn a path into that of another route with the same upstream, but lack a key that protects the
/// other route. Ignores rewrites, which could do anything.
pub(super) fn doubts(settings: &Settings) -> Vec<String> {
    let mut doubts = BTreeMap::new();
    if !settings.routes.iter().any(changes_prefix) {
        return Vec::new();
    }
    let Ok(tables) = Tables::build(settings) else { return Vec::new() };
    for listener in settings.all_listeners().filter(|listener| *listener != Listener::Internal) {
        let Some(table) = tables.for_listener(&listener) else { continue };
        let served = settings.served(&listener);
        let mut by_host: HashMap<_, Vec<_>> = HashMap::new();
        for one in &served {
            by_host.entry(one.place.host).or_default().push(one);
        }
        for one in served.iter().filter(|served| changes_prefix(served.route)) {
            for other in by_host[one.place.host].iter().filter(|other| is_around(one, other)) {
                if let Some((from, to)) = way(one, other, table) {
                    let keys = guards(&other.route.middleware, &one.route.middleware).join(" and ");
                    let doubt = format!(
                        "{}: {from} is forwarded as {to}, but {keys} of {} {} not apply to it: write a route for {from} with {keys}, \
                         too",
                        one.route.origin,
                        other.route.name,
                        if keys.contains(" and ") { "do" } else { "does" }
                    );
                    doubts.entry((one.index, other.index)).or_insert(doubt);
                }
            }
        }
    }
    let unique: BTreeSet<_> = doubts.into_values().collect();
    unique.into_iter().collect()
}

fn changes_prefix(route: &Route) -> bool {
    let Middleware { rewrite, add_prefix, .. } = &route.middleware;
    matches!(route.answer, Answer::Upstream(_)) && rewrite.is_none() && (route.strip_prefix || add_prefix.is_some())
}

/// The keys that protect `one`, but not `other`.
fn guards(one: &Middleware, other: &Middleware) -> Vec<&'static str> {
    GUARDS.into_iter().filter(|key| one.keys.contains(key) && !other.keys.contains(key)).collect()
}

/// Whether the route of `one`, which has the same host, can bypass that of `other`. If `other` changes the path itself, it
/// protects the client's path, not that of the backend.
fn is_around(one: &ServedPlace<'_>, other: &ServedPlace<'_>) -> bool {
    other.route.path_edits().is_empty()
        && !guards(&other.route.middleware, &one.route.middleware).is_empty()
        && one.route.endpoints().iter().any(|endpoint| other.route.endpoints().contains(endpoint))
}

/// A path that takes the route `one`, and that path as forwarded, which is the same as for a path of `other`.
fn way(one: &ServedPlace<'_>, other: &ServedPlace<'_>, table: &RouteTable<usize>) -> Option<(String, String)> {
    match other.place.path {
        RoutePath::Exact(path) => way_to(path.as_str(), one, table),
        RoutePath::Prefix(prefix) => {
            let to = |path: &str| way_to(path, one, table);
            to(prefix.as_str()).or_else(|| to(&format!("{prefix}/")))
        }
        _ => None,
    }
}

fn way_to(path: &str, one: &ServedPlace<'_>, table: &RouteTable<usize>) -> Option<(String, String)> {
    let wanted: Uri = path.parse().ok()?;
    let rest = match &one.route.middleware.add_prefix {
        Some(added) => added.strip(wanted.path())?,
        None => wanted.path(),
    };
    let removed = match one.place.path {
        RoutePath::Prefix(prefix) if one.route.strip_prefix && *prefix != PathPrefix::root() => prefix.as_str(),
        _ => "",
    };
    let from: Uri = format!("{removed}{rest}").parse().ok()?;
    let host = one.place.host.to_string().replace('*', "any");
    let is_chosen = table.find(&host, from.path()) == Ok(&one.index);
    let leads_there = one.route.path_edits().apply(&from).is_ok_and(|to| to == wanted);
    (is_chosen && leads_there).then(|| (from.to_string(), wanted.to_string()))
}
