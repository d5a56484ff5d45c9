//! Inheritance: a table in the file, and the tables that it inherits from.

use std::collections::BTreeSet;

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

    /// All keys with their values, `false` included. The keys of the nearest table come first.
    pub(in crate::settings) fn entries(&self) -> impl Iterator<Item = (String, Node<'a>)> {
        let of = |table: &Node<'a>| table.value.as_dict().into_iter().flat_map(|table| table.keys().cloned()).collect();
        let keys = self.0.iter().map(move |table| (table, of(table)));
        let entry = |(table, keys): (&Node<'a>, Vec<String>)| {
            keys.into_iter().filter_map(|key| table.field(&key).map(|node| (key, node))).collect::<Vec<_>>()
        };
        keys.flat_map(entry)
    }

    /// The nearest entry for each key in any case, `false` included, without those of the nearest table if `inherited_only`.
    pub(in crate::settings) fn nearest_entries(&self, inherited_only: bool) -> Vec<(String, Node<'a>)> {
        let own = self.own().value.as_dict().map_or(0, |table| table.len());
        let mut seen = BTreeSet::new();
        let entries = self.entries().enumerate();
        let nearest = entries.filter(|(_, (key, _))| seen.insert(key.to_lowercase()));
        nearest.filter(|(index, _)| !inherited_only || *index >= own).map(|(_, entry)| entry).collect()
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
