//! Reading routes, with what they inherit.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use super::{Route, Scope, answer, place, scopes, tls};
use crate::config::{Merged, Node, Parse, Problem, Problems, SizeLimit};

/// What a route has where neither it, its parent nor `[defaults]` say so: settings that belong to no table.
#[derive(Debug, Clone, Copy)]
pub(in crate::settings) struct RootDefaults {
    pub(in crate::settings) connect_timeout: Duration,
    pub(in crate::settings) response_timeout: Duration,
    pub(in crate::settings) stall_timeout: Duration,
    pub(in crate::settings) stream_timeout: Duration,
    pub(in crate::settings) max_body: Option<u64>,
}

/// Reads all routes.
pub(in crate::settings) fn read(merged: &Merged, root: RootDefaults, problems: &mut Problems) -> Vec<Route> {
    let mut routes = Vec::new();
    for scope in scopes(merged, problems) {
        routes.extend(route(&scope, root, problems));
    }
    report_alike(&routes, problems);
    routes
}

fn route(scope: &Scope<'_>, root: RootDefaults, problems: &mut Problems) -> Option<Route> {
    let own = scope.own();
    if own.value.as_dict().is_none() {
        let expected =
            if own.is_from_file() { "a table with host and upstream" } else { "HOST[/PREFIX]=UPSTREAM[,UPSTREAM…]" };
        problems.push(own.unexpected(expected));
        return None;
    }
    let patterns = place::patterns(scope, problems);
    let prefixes = place::prefixes(scope, problems);
    let has_children = own.field("routes").is_some();
    let answer = answer::read(scope, has_children, problems);
    let tls = tls::read(scope, answer.as_ref(), problems);
    let host_header = scope.field("host_header").map(|node| node.read(problems));
    let switch = |key: &str, problems: &mut Problems| or(scope.switch(key), false, problems);
    let strip_prefix = switch("strip_prefix", problems);
    let allow_ambiguous_paths = switch("allow_ambiguous_paths", problems);
    let duration = |key: &str, root, problems: &mut Problems| or(scope.field(key), root, problems);
    let connect_timeout = duration("connect_timeout", root.connect_timeout, problems);
    let response_timeout = duration("response_timeout", root.response_timeout, problems);
    let stall_timeout = duration("stall_timeout", root.stall_timeout, problems);
    let stream_timeout = duration("stream_timeout", root.stream_timeout, problems);
    let max_body = or(scope.field("max_body"), SizeLimit(root.max_body), problems);
    let name = scope.own().field("name").map(|node| node.read::<String>(problems));
    // A route that only its children are for.
    let answer = answer?;
    let mut route = Route {
        name: String::new(),
        patterns,
        prefixes,
        answer,
        strip_prefix: strip_prefix?,
        allow_ambiguous_paths: allow_ambiguous_paths?,
        // None of the route if it is there and unreadable.
        host_header: host_header.map_or(Some(None), |host| host.map(Some))?,
        tls: tls?,
        connect_timeout: connect_timeout?,
        response_timeout: response_timeout?,
        stall_timeout: stall_timeout?,
        stream_timeout: stream_timeout?,
        max_body: max_body?.0,
        origin: own.into(),
    };
    route.name = match name {
        Some(name) => name?,
        None => route.places().next().map(|(pattern, prefix)| format!("{pattern}{prefix}")).unwrap_or_default(),
    };
    Some(route)
}

/// A value, or what stands in for one that is not there; `None` if it is unreadable, which is reported.
fn or<T: Parse>(node: Option<Node<'_>>, default: T, problems: &mut Problems) -> Option<T> {
    node.map_or(Some(default), |node| node.read(problems))
}

/// Reports routes of which one hides the other.
fn report_alike(routes: &[Route], problems: &mut Problems) {
    let mut taken: BTreeMap<_, &Route> = BTreeMap::new();
    for route in routes {
        for (pattern, prefix) in route.places() {
            match taken.entry((pattern, prefix)) {
                Entry::Vacant(free) => drop(free.insert(route)),
                Entry::Occupied(first) => {
                    let other = first.get();
                    problems.push(Problem::new(
                        route.origin.to_string(),
                        format!("{pattern}{prefix} has two routes: `{route}` here and `{other}` by {}", other.origin),
                    ));
                }
            }
        }
    }
}
