//! What routes inherit, and from where.

use serde::Serialize;

use super::{
    Scope, answer,
    requests::PATHS,
    scope::{redirects, scopes},
};
use crate::{
    config::{Key, Merged, Node, Problems, ROUTE_KEYS, Role, Shape},
    settings::inline::inline,
};

/// A value that a route inherits from its parent, from `[defaults]`, or from a top-level setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Inherited {
    /// The key, such as `hsts` or `tls.ca`.
    pub key: String,
    /// The value as written in the file. For a value from the environment, the variable.
    pub value: String,
    /// `/etc/pmesh/config.toml:3`
    pub from: String,
}

impl Inherited {
    fn new(key: impl Into<String>, node: &Node<'_>) -> Self {
        Self { key: key.into(), value: inline(node), from: node.origin() }
    }
}

/// Returns what each route inherits, in the order of the routes.
pub(in crate::settings) fn inherited(merged: &Merged) -> Vec<Vec<Inherited>> {
    // Errors have already been reported.
    let mut problems = Problems::default();
    let answers = answer::keys();
    let is_route = |scope: &Scope<'_>| scope.nearest_with(&answers).is_some();
    let written = scopes(merged, &mut problems).into_iter().filter(is_route);
    let written = written.map(|scope| inherited_by(&scope, merged)).collect::<Vec<_>>();
    let redirects = redirects(merged, &mut problems).into_iter().map(|(_, scope)| inherited_by(&scope, merged));
    written.into_iter().chain(redirects).collect()
}

fn inherited_by(scope: &Scope<'_>, merged: &Merged) -> Vec<Inherited> {
    let answers = answer::keys();
    let answer = scope.nearest_with(&answers);
    let has_upstream = answer.is_some_and(|table| table.field("upstream").is_some());
    let is_shown = |key: &&Key| match key.role {
        Role::Own => false,
        Role::Match | Role::Answer | Role::Setting => has_upstream || !key.is_for_upstreams,
    };
    let has_own = |group: &[&str]| group.iter().any(|key| scope.own().field(key).is_some());
    let mut inherited = Vec::new();
    for key in ROUTE_KEYS.iter().filter(is_shown) {
        let is_replaced = match key.name {
            // A route that only sets path_regex keeps the inherited prefix.
            "prefix" => has_own(&["path", "prefix"]),
            name if PATHS.contains(&name) => has_own(&PATHS),
            _ => key.role == Role::Answer && has_own(&answers),
        };
        if is_replaced {
            continue;
        }
        match scope.table(key.name) {
            Some(tables) if has_own(&[key.name]) => inside(key, &tables, true, &mut inherited),
            // A table that several levels add to.
            Some(tables) if tables.is_merged() => inside(key, &tables, false, &mut inherited),
            Some(tables) => inherited.push(Inherited::new(key.name, tables.own())),
            None if scope.switch(key.name).is_some() => {}
            None => {
                // The top-level `listeners` is a table of listeners, not a list of names.
                let root = merged.node(key.name).filter(|node| !node.is_default() && node.value.as_dict().is_none());
                inherited.extend(root.map(|node| Inherited::new(key.name, &node)));
            }
        }
    }
    inherited
}

/// Adds the keys of a merged table. If the route `has_own`, these are only the keys that it inherits in addition.
fn inside(key: &Key, tables: &Scope<'_>, has_own: bool, inherited: &mut Vec<Inherited>) {
    // In a table of names, such as headers, `false` is a value.
    if matches!(key.shape, Shape::Named(_)) {
        let entries = tables.nearest_entries(has_own).into_iter();
        inherited.extend(entries.map(|(name, node)| Inherited::new(format!("{}.{name}", key.name), &node)));
    } else {
        add(key.name, tables, has_own, inherited);
    }
}

fn add(path: &str, tables: &Scope<'_>, has_own: bool, inherited: &mut Vec<Inherited>) {
    for (name, node) in tables.fields() {
        let path = format!("{path}.{name}");
        match tables.table(&name) {
            Some(inner) if has_own && tables.own().field(&name).is_some() => add(&path, &inner, true, inherited),
            _ => inherited.push(Inherited::new(path, &node)),
        }
    }
}
