//! Reads which requests a route is for.

use pmesh_layers::{
    host::HostPattern,
    route::{Conditions, ExactPath, PathPrefix, PathRegex, RoutePath, ValuePattern},
};

use super::{
    API_HOST, Scope,
    matchers::{Condition, HeaderKey, MethodName, Networks},
};
use crate::{
    config::{Node, Problems, ROUTE_KEYS},
    settings::{Listener, NamedListener},
};

/// Reads the hosts of a route. Returns none if they are invalid, and reports that.
pub(super) fn patterns(scope: &Scope<'_>, problems: &mut Problems) -> Vec<HostPattern> {
    let Some(node) = scope.field("host") else {
        scope.own().lacks("no host: write host = \"example.com\", or a list", ROUTE_KEYS, problems);
        return Vec::new();
    };
    if node.is_empty_list() {
        problems.push(node.problem("no host: name at least one"));
    }
    let patterns: Vec<HostPattern> = node.read_one_or_more(problems);
    if patterns.iter().any(|pattern| matches!(pattern, HostPattern::Exact(name) if name.as_str() == API_HOST)) {
        problems
            .push(node.problem(format!("{API_HOST} is reserved for requests between nodes: no route can serve it")));
    }
    patterns
}

/// Keys that replace each other: a table that has one of them inherits none of them. But a table that only has
/// `path_regex` keeps the inherited prefix.
pub(super) const PATHS: [&str; 3] = ["path", "prefix", "path_regex"];

/// Reads the paths of a route. Returns `None` if they are invalid, and reports that. See [`PATHS`] for inheritance.
pub(super) fn paths(scope: &Scope<'_>, problems: &mut Problems) -> Option<Vec<RoutePath>> {
    let Some(table) = scope.nearest_with(&PATHS) else {
        return Some(vec![PathPrefix::root().into()]);
    };
    let mut list = |key: &str| {
        let node = table.field(key).filter(|node| !node.is_false())?;
        if node.is_empty_list() {
            problems.push(node.problem(format!("no path: name at least one, or leave `{key}` out")));
        }
        Some(node)
    };
    let (exact, prefixes) = (list("path"), list("prefix"));
    let regex = table.field("path_regex").filter(|node| !node.is_false());
    if let (Some(_), Some(regex)) = (&exact, &regex) {
        problems.push(regex.problem("`path` is an exact path: leave out `path` or `path_regex`, or use `prefix`"));
        return None;
    }
    let prefixes = prefixes.or_else(|| scope.field("prefix").filter(|_| regex.is_some()));
    let of_prefix: Vec<PathPrefix> = prefixes.as_ref().map(|node| node.read_one_or_more(problems)).unwrap_or_default();
    let mut paths: Vec<RoutePath> = match (&regex, of_prefix) {
        (None, prefixes) => prefixes.into_iter().map(RoutePath::from).collect(),
        (Some(node), prefixes) => {
            let regex: PathRegex = node.read(problems)?;
            let below = |prefix| RoutePath::from((prefix, regex.clone()));
            if prefixes.is_empty() { vec![regex.into()] } else { prefixes.into_iter().map(below).collect() }
        }
    };
    let exact = exact.map(|node| node.read_one_or_more::<ExactPath>(problems)).unwrap_or_default();
    paths.splice(0..0, exact.into_iter().map(RoutePath::from));
    (!paths.is_empty()).then_some(paths)
}

/// Reads all other conditions. Returns `None` if they are invalid, and reports that.
pub(super) fn conditions(scope: &Scope<'_>, problems: &mut Problems) -> Option<Conditions> {
    let mut conditions = Conditions::new();
    if let Some(node) = scope.field("methods") {
        let methods: Vec<MethodName> = node.read_one_or_more(problems);
        if node.is_empty_list() {
            problems.push(node.problem("no method: name at least one, or leave this out for all"));
        }
        conditions = conditions.methods(methods.into_iter().map(|MethodName(method)| method));
    }
    let expected = "a table such as { headers = { accept = \"text/event-stream\" } }";
    let Some(wanted) = scope.read_table("match", expected, problems)? else { return Some(conditions) };
    if let Some(headers) = table(&wanted, "headers", problems) {
        headers.report_repeated_headers(problems);
        for (name, node) in headers.nearest_entries(false).into_iter().filter(|(_, node)| !node.is_false()) {
            let header: Option<HeaderKey> = node.read_key(&name, problems);
            if let (Some(HeaderKey(header)), Some(pattern)) = (header, pattern(&node, problems)) {
                conditions = conditions.header(header, pattern);
            }
        }
    }
    for (name, node) in table(&wanted, "query", problems).iter().flat_map(Scope::fields) {
        if let Some(pattern) = pattern(&node, problems) {
            conditions = conditions.query(&name, pattern);
        }
    }
    if let Some(node) = wanted.field("clients") {
        let networks: Vec<Networks> = node.read_one_or_more(problems);
        if node.is_empty_list() {
            problems.push(node.problem("no address: name at least one, or leave this out"));
        }
        conditions = conditions.clients(networks.into_iter().flat_map(|Networks(networks)| networks));
    }
    if let Some(node) = wanted.field("upgrade") {
        conditions = conditions.upgrade(&node.read::<String>(problems)?);
    }
    Some(conditions)
}

/// A table of conditions, if there is one.
fn table<'a>(wanted: &Scope<'a>, key: &str, problems: &mut Problems) -> Option<Scope<'a>> {
    let table = wanted.read_table(key, "a table", problems)??;
    for node in table.removes_nothing() {
        problems.push(
            node.problem("a condition cannot be negated: write a route without this condition for all other requests"),
        );
    }
    Some(table)
}

fn pattern(node: &Node<'_>, problems: &mut Problems) -> Option<ValuePattern> {
    let Condition(pattern) = node.read(problems)?;
    // A value from the environment may be a secret.
    Some(if node.references().is_some() { pattern.sensitive() } else { pattern })
}

/// Reads the listeners that serve a route. Returns `None` if they are invalid, and reports that.
pub(super) fn listeners(scope: &Scope<'_>, named: &[NamedListener], problems: &mut Problems) -> Option<Vec<Listener>> {
    let Some(node) = scope.field("listeners") else { return Some(Listener::DEFAULT.to_vec()) };
    if node.is_empty_list() {
        problems.push(node.problem("no listener: name at least one, or leave this out for http and https"));
    }
    let mut listeners = Vec::new();
    for element in node.one_or_more() {
        let name: String = element.read(problems)?;
        let all = Listener::DEFAULT.into_iter().chain(named.iter().map(|named| named.listener.clone()));
        match all.clone().find(|listener| listener.name() == name) {
            Some(listener) if listeners.contains(&listener) => {}
            Some(listener) => listeners.push(listener),
            None => {
                let known: Vec<_> = all.map(|listener| listener.name().to_owned()).collect();
                let known = known.join(", ");
                let message = match name.as_str() {
                    _ if element.references().is_some() => {
                        format!("there is no listener of this name, only {known}: set the variable to one of these")
                    }
                    "internal" => format!(
                        "`internal` is for other nodes, which can use every route; the listeners for clients are {known}: \
                         write one of these"
                    ),
                    // The usual names of entry points in Traefik.
                    "web" => format!("there is no listener `web`, only {known}: write \"http\""),
                    "websecure" => format!("there is no listener `websecure`, only {known}: write \"https\""),
                    _ => format!(
                        "there is no listener `{name}`, only {known}: write one of these, or add [listeners.{name}]"
                    ),
                };
                problems.push(element.problem(message));
            }
        }
    }
    (!listeners.is_empty()).then_some(listeners)
}
