//! Inheritance: a table in the file, and the tables that it inherits from.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::{Merged, Node, Problems};

/// A table, followed by the tables that it inherits from: for a route, its parent, if it has one, and `[defaults]`.
///
/// Nearer tables win: scalars and lists replace inherited ones, tables are merged by key, and `false` removes an
/// inherited value.
#[derive(Debug, Clone)]
pub(in crate::settings) struct Scope<'a>(Vec<Node<'a>>);

impl<'a> Scope<'a> {
    /// The nearest table.
    pub(in crate::settings) fn own(&self) -> &Node<'a> {
        &self.0[0]
    }

    /// The value of a key. `None` if the nearest value is `false`, or if there is none.
    pub(in crate::settings) fn field(&self, key: &str) -> Option<Node<'a>> {
        self.switch(key).filter(|node| !node.is_false())
    }

    /// The value of a key that can be `false`.
    pub(in crate::settings) fn switch(&self, key: &str) -> Option<Node<'a>> {
        self.0.iter().find_map(|table| table.field(key))
    }

    /// All keys with their values, except for values that are `false`.
    pub(in crate::settings) fn fields(&self) -> Vec<(String, Node<'a>)> {
        let keys: BTreeSet<&String> =
            self.0.iter().filter_map(|table| table.value.as_dict()).flat_map(|table| table.keys()).collect();
        keys.into_iter().filter_map(|key| Some((key.clone(), self.field(key)?))).collect()
    }

    /// The nearest entry for each key in any case, `false` included, without those of the nearest table if
    /// `inherited_only`. Sorted by key.
    pub(in crate::settings) fn nearest_entries(&self, inherited_only: bool) -> Vec<(String, Node<'a>)> {
        let mut seen = BTreeSet::new();
        let mut nearest = Vec::new();
        for (index, table) in self.0.iter().enumerate() {
            for key in table.value.as_dict().into_iter().flat_map(|table| table.keys()) {
                if seen.insert(key.to_lowercase()) && (index > 0 || !inherited_only) {
                    nearest.extend(table.field(key).map(|node| (key.clone(), node)));
                }
            }
        }
        nearest.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        nearest
    }

    /// Reports headers that a table has twice, in different case.
    pub(in crate::settings) fn report_repeated_headers(&self, problems: &mut Problems) {
        for table in &self.0 {
            let mut seen = BTreeMap::new();
            for key in table.value.as_dict().into_iter().flat_map(|table| table.keys()) {
                if let (Some(other), Some(node)) = (seen.insert(key.to_lowercase(), key), table.field(key)) {
                    problems.push(node.problem(format!("this is the same header as {other}: leave one of them out")));
                }
            }
        }
    }

    /// Whether there is more than one table.
    pub(in crate::settings) fn is_merged(&self) -> bool {
        self.0.len() > 1
    }

    /// The values that are `false` although there is nothing to remove.
    pub(in crate::settings) fn removes_nothing(&self) -> Vec<Node<'a>> {
        let (own, rest) = (self.own(), &self.0[1..]);
        let keys = own.value.as_dict().into_iter().flat_map(|table| table.keys());
        let is_inherited = |key: &str| rest.iter().any(|table| table.field(key).is_some());
        let fields = keys.filter(|key| !is_inherited(key)).filter_map(|key| own.field(key));
        fields.filter(Node::is_false).collect()
    }

    /// The tables under a key, for merging, or the value if it is not a table. `None` if it is missing or `false`.
    pub(in crate::settings) fn table(&self, key: &str) -> Option<Self> {
        let mut tables = Vec::new();
        for node in self.0.iter().filter_map(|table| table.field(key)) {
            let is_table = node.value.as_dict().is_some();
            if node.is_false() || (!is_table && !tables.is_empty()) {
                break;
            }
            tables.push(node);
            if !is_table {
                break;
            }
        }
        (!tables.is_empty()).then_some(Self(tables))
    }

    /// As [`table`](Self::table), `Some(None)` if it is missing or `false`. Returns `None` if the value is not a table, and
    /// reports that.
    pub(in crate::settings) fn read_table(
        &self,
        key: &str,
        expected: &str,
        problems: &mut Problems,
    ) -> Option<Option<Self>> {
        let Some(table) = self.table(key) else { return Some(None) };
        if table.own().value.as_dict().is_none() {
            problems.push(table.own().unexpected(expected));
            return None;
        }
        Some(Some(table))
    }

    /// The nearest table that has one of these keys.
    pub(in crate::settings) fn nearest_with(&self, keys: &[&str]) -> Option<&Node<'a>> {
        self.0.iter().find(|table| keys.iter().any(|key| table.field(key).is_some_and(|node| !node.is_false())))
    }
}

/// All routes in the order in which they are written, each followed by its children.
pub(super) fn scopes<'a>(merged: &'a Merged, problems: &mut Problems) -> Vec<Scope<'a>> {
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

/// The entries of `[redirects]`: each key, and its target.
pub(super) fn redirects<'a>(merged: &'a Merged, problems: &mut Problems) -> Vec<(String, Scope<'a>)> {
    let Some(table) = merged.node("redirects") else { return Vec::new() };
    if table.value.as_dict().is_none() {
        problems.push(table.unexpected("a table such as { \"www.example.com\" = \"https://example.com\" }"));
        return Vec::new();
    }
    let defaults = merged.node("defaults").filter(|node| node.value.as_dict().is_some());
    let entries = Scope(vec![table]).fields().into_iter();
    entries.map(|(from, to)| (from, Scope([to].into_iter().chain(defaults.clone()).collect()))).collect()
}
