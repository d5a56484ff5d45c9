//! The place where the user set something.

use std::fmt;

use crate::config::Node;

/// The place where the user set something, for error messages. All origins are equal: a value that only moves to
/// another line has not changed.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// `/etc/pmesh/config.toml:3`
    at: String,
    /// `/etc/pmesh/config.toml:3: routes[0]`
    place: String,
}

impl Origin {
    /// File and line, or the flag, or the variable.
    pub fn at(&self) -> &str {
        &self.at
    }
}

impl From<&Node<'_>> for Origin {
    fn from(node: &Node<'_>) -> Self {
        Self { at: node.origin(), place: node.place() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

impl PartialEq for Origin {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Origin {}
