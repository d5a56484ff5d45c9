use std::sync::Arc;

use super::{HostName, HostPattern};
use crate::hash::FixedSet;

/// Decides which host names are served.
pub trait ServedHosts {
    /// Returns `name` as a [`HostName`] if it is served. `name` is in canonical form. Returning a stored `HostName`
    /// saves an allocation.
    fn served(&self, name: &str) -> Option<HostName>;
}

/// A fixed set of host patterns. The time of a lookup does not depend on their number. Cloning only increments a
/// reference count.
#[derive(Debug, Clone, Default)]
pub struct HostSet(Arc<Patterns>);

#[derive(Debug, Default)]
struct Patterns {
    exact: FixedSet<HostName>,
    below: FixedSet<HostName>,
}

impl HostSet {
    /// Creates a set of `patterns`.
    pub fn new(patterns: impl IntoIterator<Item = HostPattern>) -> Self {
        let mut set = Patterns::default();
        for pattern in patterns {
            match pattern {
                HostPattern::Exact(name) => set.exact.insert(name),
                HostPattern::Below(parent) => set.below.insert(parent),
            };
        }
        Self(Arc::new(set))
    }
}

impl<T: ServedHosts + ?Sized> ServedHosts for Arc<T> {
    fn served(&self, name: &str) -> Option<HostName> {
        (**self).served(name)
    }
}

impl ServedHosts for HostSet {
    fn served(&self, name: &str) -> Option<HostName> {
        if let Some(exact) = self.0.exact.get(name) {
            return Some(exact.clone());
        }
        if self.0.below.is_empty() {
            return None;
        }
        parents(name).any(|parent| self.0.below.contains(parent)).then(|| HostName::from_canonical(name))
    }
}

/// Returns the names above `name`, nearest first: for `a.b.c`, these are `b.c` and `c`.
pub fn parents(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').map(|(dot, _)| &name[dot + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_names_and_names_below_a_wildcard_are_served() {
        let set = HostSet::new(["example.com", "*.example.org"].map(|pattern| pattern.parse().unwrap()));
        for (name, expected) in [
            ("example.com", true),
            ("a.example.com", false),
            ("example.org", false),
            ("a.example.org", true),
            ("a.b.example.org", true),
            ("aexample.org", false),
            ("org", false),
        ] {
            assert_eq!(set.served(name).map(|host| host.to_string()), expected.then(|| name.to_owned()), "{name}");
        }
    }
}
