use super::{PathPrefix, path::normalize};
use crate::{
    hash::FixedMap,
    host::{HostName, HostPattern, ServedHosts, parents},
};

/// Finds the most specific route for a host and a path.
///
/// An exact host is more specific than a wildcard, a longer wildcard more than a shorter one, and for the same host a
/// longer prefix more than a shorter one; the order of insertion does not matter. A look-up takes a step for each label
/// of the host and each segment of the path, however many routes there are.
#[derive(Debug, Clone)]
pub struct RouteTable<T> {
    exact: FixedMap<HostName, Paths<T>>,
    below: FixedMap<HostName, Paths<T>>,
}

impl<T> Default for RouteTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> RouteTable<T> {
    /// A table without routes.
    pub fn new() -> Self {
        Self { exact: FixedMap::default(), below: FixedMap::default() }
    }

    /// Adds a route.
    ///
    /// # Errors
    ///
    /// [`DuplicateRoute`] when there is one for the same pattern and prefix, which stays.
    pub fn insert(&mut self, pattern: HostPattern, prefix: PathPrefix, target: T) -> Result<(), DuplicateRoute> {
        let paths = match pattern {
            HostPattern::Exact(name) => self.exact.entry(name),
            HostPattern::Below(parent) => self.below.entry(parent),
        };
        paths.or_default().insert(prefix, target)
    }

    /// The target of the most specific route; `host` in canonical form, `path` as in the request.
    pub fn find(&self, host: &str, path: &str) -> Option<&T> {
        let path = &*normalize(path);
        // `*` asks about the server as a whole (RFC 9110, 9.3.7), which is the route without a prefix.
        let path = if path == "*" { "/" } else { path };
        if let Some(target) = self.exact.get(host).and_then(|paths| paths.find(path)) {
            return Some(target);
        }
        if self.below.is_empty() {
            return None;
        }
        parents(host).find_map(|parent| self.below.get(parent)?.find(path))
    }
}

impl<T> ServedHosts for RouteTable<T> {
    /// A host is served when it has a route, whatever the path.
    fn served(&self, name: &str) -> Option<HostName> {
        if let Some((exact, _)) = self.exact.get_key_value(name) {
            return Some(exact.clone());
        }
        if self.below.is_empty() {
            return None;
        }
        parents(name).any(|parent| self.below.contains_key(parent)).then(|| HostName::from_canonical(name))
    }
}

/// The routes of one pattern.
#[derive(Debug, Clone)]
struct Paths<T> {
    by_prefix: FixedMap<PathPrefix, T>,
    /// Of the longest prefix: the part of a path beyond it need not be looked at.
    longest: usize,
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self { by_prefix: FixedMap::default(), longest: 0 }
    }
}

impl<T> Paths<T> {
    fn insert(&mut self, prefix: PathPrefix, target: T) -> Result<(), DuplicateRoute> {
        if self.by_prefix.contains_key(&prefix) {
            return Err(DuplicateRoute);
        }
        self.longest = self.longest.max(prefix.as_key().len());
        self.by_prefix.insert(prefix, target);
        Ok(())
    }

    fn find(&self, path: &str) -> Option<&T> {
        let mut end = if path.len() <= self.longest { path.len() } else { end_of_segment(path, self.longest) };
        loop {
            let prefix = &path[..end];
            let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
            if let Some(target) = self.by_prefix.get(prefix) {
                return Some(target);
            }
            end = prefix.rfind('/')?;
        }
    }
}

/// The largest end of a segment of `path` that is at most `limit`.
fn end_of_segment(path: &str, limit: usize) -> usize {
    if path.as_bytes()[limit] == b'/' {
        limit
    } else {
        path.as_bytes()[..limit].iter().rposition(|b| *b == b'/').unwrap_or(0)
    }
}

/// Two routes for the same pattern and prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is a route for the same host and path prefix")]
pub struct DuplicateRoute;

#[cfg(test)]
mod tests {
    use super::*;

    fn table(routes: &[(&str, &'static str)]) -> RouteTable<&'static str> {
        let mut table = RouteTable::new();
        for (route, target) in routes {
            let (host, prefix) = route.split_at(route.find('/').unwrap());
            table.insert(host.parse().unwrap(), prefix.parse().unwrap(), *target).unwrap();
        }
        table
    }

    #[test]
    fn the_most_specific_wins_whatever_the_order() {
        let mut routes = [
            ("*.example.com/", "wildcard"),
            ("*.b.example.com/", "longer wildcard"),
            ("a.example.com/foo", "exact foo"),
            ("a.example.com/foo/bar", "exact foo bar"),
            ("*.example.com/deep/path", "wildcard path"),
        ];
        for _ in 0..routes.len() {
            routes.rotate_left(1);
            let table = table(&routes);
            for (host, path, expected) in [
                ("a.example.com", "/foo", Some("exact foo")),
                ("a.example.com", "/foo/", Some("exact foo")),
                ("a.example.com", "/foo/bar/baz", Some("exact foo bar")),
                ("a.example.com", "/foo/barbaz", Some("exact foo")),
                ("a.example.com", "/foobar", Some("wildcard")),
                ("a.example.com", "/foo/../deep/path/x", Some("wildcard path")),
                ("a.example.com", "/", Some("wildcard")),
                ("a.example.com", "*", Some("wildcard")),
                ("c.b.example.com", "/x", Some("longer wildcard")),
                ("c.b.example.com", "/deep/path", Some("longer wildcard")),
                ("b.example.com", "/deep/path", Some("wildcard path")),
                ("example.com", "/", None),
                ("other.org", "/", None),
            ] {
                assert_eq!(table.find(host, path).copied(), expected, "{host}{path}");
            }
        }
    }

    #[test]
    fn a_served_host_may_lack_a_path() {
        let table = table(&[("a/foo", "foo")]);
        assert_eq!(table.find("a", "/bar"), None);
        assert_eq!(table.find("a", "*"), None);
        assert!(table.served("a").is_some());
        assert!(table.served("b").is_none());
    }

    #[test]
    fn duplicates_are_refused() {
        let mut table = table(&[("a/foo", "first")]);
        assert_eq!(table.insert("A".parse().unwrap(), "/foo/".parse().unwrap(), "second"), Err(DuplicateRoute));
        assert_eq!(table.find("a", "/foo"), Some(&"first"));
    }
}
