//! Inheritance: a table of the file, and the tables that hold what it does not say itself.

use figment::value::Value;

use crate::config::{Merged, Node, Problems};

/// A table, then those that it inherits from: for a route its parent, if it has one, and `[defaults]`.
///
/// Scalars and lists of a nearer table replace those of a farther one, tables are merged by key, and `false` removes
/// what is inherited.
#[derive(Debug, Clone)]
pub(crate) struct Scope<'a>(Vec<Node<'a>>);

impl<'a> Scope<'a> {
    /// Of the table that is nearest.
    pub(crate) fn own(&self) -> &Node<'a> {
        &self.0[0]
    }

    /// The value of a key, unless it is not there or `false`.
    pub(crate) fn field(&self, key: &str) -> Option<Node<'a>> {
        self.switch(key).filter(|node| !is_false(node))
    }

    /// The same for a key whose value may be `false`.
    pub(crate) fn switch(&self, key: &str) -> Option<Node<'a>> {
        self.0.iter().find_map(|table| table.field(key))
    }

    /// The tables under a key, merged; or one value in their place. `None` where there is none, or the nearest is `false`.
    pub(crate) fn table(&self, key: &str) -> Option<Self> {
        let mut tables = Vec::new();
        for node in self.0.iter().filter_map(|table| table.field(key)) {
            let is_table = node.value.as_dict().is_some();
            if is_false(&node) || (!is_table && !tables.is_empty()) {
                break;
            }
            tables.push(node);
            if !is_table {
                break;
            }
        }
        (!tables.is_empty()).then_some(Self(tables))
    }

    /// The nearest table that has one of these keys, without what that inherits.
    pub(crate) fn nearest_with(&self, keys: &[&str]) -> Option<&Node<'a>> {
        self.0.iter().find(|table| keys.iter().any(|key| table.field(key).is_some_and(|node| !is_false(&node))))
    }
}

fn is_false(node: &Node<'_>) -> bool {
    matches!(node.value, Value::Bool(_, false))
}

/// All routes as they were written, each before its children.
pub(crate) fn scopes<'a>(merged: &'a Merged, problems: &mut Problems) -> Vec<Scope<'a>> {
    let defaults = merged.node("defaults").filter(|node| node.value.as_dict().is_some());
    let mut scopes = Vec::new();
    for route in merged.elements("routes", problems) {
        let children =
            route.field("routes").and_then(|children| problems.note(children.elements())).unwrap_or_default();
        let scope = |tables: &[&Node<'a>]| Scope(tables.iter().copied().chain(&defaults).cloned().collect());
        scopes.push(scope(&[&route]));
        scopes.extend(children.iter().map(|child| scope(&[child, &route])));
    }
    scopes
}
