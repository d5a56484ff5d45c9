//! What routes inherit, and from where.

use serde::Serialize;

use super::{
    Scope,
    scope::{redirects, scopes},
};
use crate::{
    config::{Merged, Node, Part, Problems, ROUTE_KEYS},
    settings::inline::inline,
};

/// A value that a route inherits from its parent, from `[defaults]`, or from a top-level setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inherited {
    /// The key, such as `hsts` or `tls.ca`.
    pub key: String,
    /// The value as written in the file. Values from the environment are not shown.
    pub value: String,
    /// `/etc/pmesh/config.toml:3`
    pub from: String,
}

impl Inherited {
    fn new(key: impl Into<String>, node: &Node<'_>) -> Self {
        Self { key: key.into(), value: inline(node), from: node.origin() }
    }
}

/// What each route inherits, in the order of the routes.
pub(in crate::settings) fn inherited(merged: &Merged) -> Vec<Vec<Inherited>> {
    // Errors have already been reported.
    let mut problems = Problems::default();
    let answers: Vec<_> = keys(Part::Answer).collect();
    let is_route = |scope: &Scope<'_>| scope.nearest_with(&answers).is_some();
    let written = scopes(merged, &mut problems).into_iter().filter(is_route);
    let written = written.map(|scope| of(&scope, merged)).collect::<Vec<_>>();
    let redirects = redirects(merged, &mut problems).into_iter().map(|(_, scope)| of(&scope, merged));
    written.into_iter().chain(redirects).collect()
}

fn keys(part: Part) -> impl Iterator<Item = &'static str> {
    ROUTE_KEYS.iter().filter(move |key| key.part == part).map(|key| key.name)
}

/// Keys that replace each other: a table that has one inherits none of them.
const PATHS: [&str; 3] = ["path", "prefix", "path_regex"];

/// Keys that have no effect on a route without an upstream.
const FOR_UPSTREAMS: [&str; 8] = [
    "strip_prefix",
    "host_header",
    "tls",
    "connect_timeout",
    "response_timeout",
    "stall_timeout",
    "stream_timeout",
    "max_body",
];

fn of(scope: &Scope<'_>, merged: &Merged) -> Vec<Inherited> {
    let answers: Vec<_> = keys(Part::Answer).collect();
    let answer = scope.nearest_with(&answers);
    let has_upstream = answer.is_some_and(|table| table.field("upstream").is_some());
    let is_shown = |name: &str| !matches!(name, "name" | "routes") && (has_upstream || !FOR_UPSTREAMS.contains(&name));
    let has_own = |group: &[&str]| group.iter().any(|key| scope.own().field(key).is_some());
    let mut inherited = Vec::new();
    for key in ROUTE_KEYS.iter().filter(|key| key.part != Part::Planned && is_shown(key.name)) {
        // A regular expression alone keeps the inherited prefix.
        let paths = if key.name == "prefix" { &PATHS[..2] } else { &PATHS };
        let group = [paths, &answers].into_iter().find(|group| group.contains(&key.name));
        if group.is_some_and(has_own) {
            continue;
        }
        match scope.table(key.name) {
            Some(tables) if has_own(&[key.name]) => inside(key.name, &tables, &mut inherited),
            Some(tables) => inherited.push(Inherited::new(key.name, tables.own())),
            None if scope.switch(key.name).is_some() => {}
            // The top-level `listeners` are ports, not names.
            None if key.name == "listeners" => {}
            None => {
                let root = merged.node(key.name).filter(|node| !node.is_default() && node.value.as_dict().is_none());
                inherited.extend(root.map(|node| Inherited::new(key.name, &node)));
            }
        }
    }
    inherited
}

/// What a table inherits in addition to its own keys.
fn inside(key: &str, tables: &Scope<'_>, inherited: &mut Vec<Inherited>) {
    for (name, node) in tables.fields() {
        let path = format!("{key}.{name}");
        match tables.table(&name) {
            Some(inner) if tables.own().field(&name).is_some() => inside(&path, &inner, inherited),
            _ => inherited.push(Inherited::new(path, &node)),
        }
    }
}
