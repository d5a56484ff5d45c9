//! A host and a path of a route, with its conditions.

use std::fmt;

use pmesh_layers::{
    host::HostPattern,
    route::{Conditions, RoutePath, Rule},
};

/// One of the hosts of a route, with one of its paths, and its conditions. No two routes on a listener have the same
/// place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place<'a> {
    /// The host.
    pub host: &'a HostPattern,
    /// The path.
    pub path: &'a RoutePath,
    /// Further conditions on the request.
    pub conditions: &'a Conditions,
}

impl Place<'_> {
    /// The rule for the route table.
    pub fn rule(&self) -> Rule {
        Rule::new(self.path.clone()).when(self.conditions.clone())
    }
}

/// `example.com/api`, `example.com/robots.txt (exact)`, `example.com/ ~ ^/u/[0-9]+$ [POST]`
impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.host, ShownPath(self.path))?;
        if self.conditions.is_empty() { Ok(()) } else { write!(f, " [{}]", self.conditions) }
    }
}

/// A path as reports show it: `/api`, `/robots.txt (exact)`, `/ ~ ^/u/[0-9]+$`
#[derive(Debug, Clone, Copy)]
pub struct ShownPath<'a>(pub &'a RoutePath);

impl fmt::Display for ShownPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            RoutePath::Exact(path) => write!(f, "{path} (exact)"),
            path => path.fmt(f),
        }
    }
}
