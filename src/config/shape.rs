//! What is known of a key of the file: what its value looks like, and its role in a route.

use super::Kind;

/// A key of a table in the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The key.
    pub(crate) name: &'static str,
    /// What its value looks like.
    pub(crate) shape: Shape,
    /// Its role in a route.
    pub(crate) role: Role,
    /// One line about it.
    pub(crate) help: &'static str,
    /// Whether its table needs it.
    pub(crate) is_required: bool,
    /// Whether it has no effect on a route without an upstream.
    pub(crate) is_for_upstreams: bool,
}

/// What the value of a key looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One value.
    One(Kind),
    /// A value, or a list of them.
    OneOrMore(Kind),
    /// A table with these keys.
    Table(&'static [Key]),
    /// `[[key]]`, with these keys.
    Tables(&'static [Key]),
    /// A table with any keys, such as names.
    Named(&'static Shape),
    /// One of these.
    Either(&'static [Shape]),
}

impl Shape {
    /// The keys of the table that the value is, or may be.
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
    /// Which requests the route is for. A child replaces the whole path of its parent.
    Match,
    /// How they are answered. An answer of a child replaces that of its parent.
    Answer,
    /// Anything else. A child inherits it, and `[defaults]` may hold it.
    Setting,
    /// Never inherited.
    Own,
    /// Planned, but not available in this version.
    Planned,
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

    pub(super) const fn planned(name: &'static str) -> Self {
        Self::new(name, Role::Planned, Shape::One(Kind::Switch), "Not available in this version")
    }

    /// A key of a table whose keys have no roles.
    pub(super) const fn inner(name: &'static str, shape: Shape, help: &'static str) -> Self {
        Self::new(name, Role::Setting, shape, help)
    }
}

/// The key of a table.
pub(crate) fn key(keys: &'static [Key], name: &str) -> Option<&'static Key> {
    keys.iter().find(|key| key.name == name)
}

/// The message about a planned key.
pub(crate) fn planned(name: &str) -> String {
    format!("`{name}` is planned, but not available in this version")
}
