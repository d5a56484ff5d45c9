//! The shape of each key's value in the file, and the role of the key in a route.

use super::Kind;

/// A key of a table in the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The name of the key.
    pub(crate) name: &'static str,
    /// The shape of its value.
    pub(crate) shape: Shape,
    /// Its role in a route.
    pub(crate) role: Role,
    /// A description in one line.
    pub(crate) help: &'static str,
    /// Whether its table must have it.
    pub(crate) is_required: bool,
    /// Whether it has no effect on a route without an upstream.
    pub(crate) is_for_upstreams: bool,
}

/// The shape of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One value.
    One(Kind),
    /// One value, or a list of values.
    OneOrMore(Kind),
    /// A table with these keys.
    Table(&'static [Key]),
    /// A list of tables (`[[key]]`) with these keys.
    Tables(&'static [Key]),
    /// A table whose keys are names.
    Named(&'static Shape),
    /// One of these shapes.
    Either(&'static [Shape]),
}

impl Shape {
    /// The keys of the value, if it can be a table.
    pub(crate) fn table(self) -> Option<&'static [Key]> {
        match self {
            Self::Table(keys) => Some(keys),
            Self::Either(shapes) => shapes.iter().find_map(|shape| shape.table()),
            _ => None,
        }
    }
}

/// The role of a key in a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Selects the requests of the route. A path of a child replaces all paths of its parent.
    Match,
    /// How requests are answered. The answer of a child replaces the answer of its parent.
    Answer,
    /// Anything else. Children inherit it, and `[defaults]` can set it.
    Setting,
    /// Never inherited.
    Own,
}

impl Key {
    pub(super) const fn new(name: &'static str, role: Role, shape: Shape, help: &'static str) -> Self {
        Self { name, shape, role, help, is_required: false, is_for_upstreams: false }
    }

    pub(super) const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// A setting that has no effect on a route without an upstream.
    pub(super) const fn upstream(name: &'static str, shape: Shape, help: &'static str) -> Self {
        Self { is_for_upstreams: true, ..Self::new(name, Role::Setting, shape, help) }
    }

    /// A key of a table whose keys have no roles.
    pub(super) const fn inner(name: &'static str, shape: Shape, help: &'static str) -> Self {
        Self::new(name, Role::Setting, shape, help)
    }
}

/// Finds a key by name.
pub(crate) fn key(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.name == name)
}

/// The error message for a planned top-level key.
pub(crate) fn planned(name: &str) -> String {
    format!("`{name}` is planned, but not available in this version")
}
