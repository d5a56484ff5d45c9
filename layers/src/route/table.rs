use super::{NoRoute, PathPrefix, readings};
use crate::{
    hash::FixedMap,
    host::{HostName, HostPattern, ServedHosts, parents},
};

/// Finds the most specific route for a host and a path.
///
/// An exact host is more specific than a wildcard, a longer wildcard more than a shorter one, and for the same host a
/// longer prefix more than a shorter one; the order of insertion does not matter. A look-up takes a step for each label
/// of the host and each segment of the path, however many routes there are.
///
/// Paths are matched exactly as written. A path that a backend may read as that of another route is refused, whether or
/// not the prefix is removed on the way, see [`NoRoute::Ambiguous`].
#[derive(Debug, Clone)]
pub struct RouteTable<T> {
    exact: FixedMap<HostName, Paths<T>>,
    below: FixedMap<HostName, Paths<T>>,
    /// Whether any prefix has percent-encoding.
    encoded: bool,
}

impl<T> Default for RouteTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> RouteTable<T> {
    /// A table without routes.
    pub fn new() -> Self {
        Self { exact: FixedMap::default(), below: FixedMap::default(), encoded: false }
    }

    /// Adds a route.
    ///
    /// # Errors
    ///
    /// [`DuplicateRoute`] when there is one for the same pattern and prefix, which stays.
    pub fn insert(&mut self, pattern: HostPattern, prefix: PathPrefix, target: T) -> Result<(), DuplicateRoute> {
        self.put(pattern, prefix, target, false)
    }

    /// Adds a route whose paths are never ambiguous, for a backend that reads paths as written or protects itself.
    ///
    /// # Errors
    ///
    /// See [`insert`](Self::insert).
    pub fn insert_literal(
        &mut self,
        pattern: HostPattern,
        prefix: PathPrefix,
        target: T,
    ) -> Result<(), DuplicateRoute> {
        self.put(pattern, prefix, target, true)
    }

    fn put(
        &mut self,
        pattern: HostPattern,
        prefix: PathPrefix,
        target: T,
        literal: bool,
    ) -> Result<(), DuplicateRoute> {
        self.encoded |= prefix.as_key().contains('%');
        let route = Route { target, literal, prefix: prefix.as_key().len() };
        let paths = match pattern {
            HostPattern::Exact(name) => self.exact.entry(name),
            HostPattern::Below(parent) => self.below.entry(parent),
        };
        paths.or_default().insert(prefix, route)
    }

    /// The target of the most specific route; `host` in canonical form, `path` as in the request.
    ///
    /// # Errors
    ///
    /// [`NoRoute`] if there is no route, or if the path is ambiguous.
    pub fn find(&self, host: &str, path: &str) -> Result<&T, NoRoute> {
        let mut hosts = self.hosts(host);
        let first = hosts.next().ok_or(NoRoute::NotFound)?;
        // A single route for `/`: no reading can match another one.
        if let (Some(root), true) = (&first.root, first.by_prefix.is_empty()) {
            return Ok(&root.target);
        }
        let route = first.find(path).or_else(|| hosts.find_map(|paths| paths.find(path))).ok_or(NoRoute::NotFound)?;
        // Bytes that are not allowed in a path could match percent-encoding in a prefix.
        let plain = route.literal || (readings::is_plain(path) && !self.encoded);
        if plain || self.is_unambiguous(host, path, route) { Ok(&route.target) } else { Err(NoRoute::Ambiguous) }
    }

    /// Whether all readings of `path`, which matches `route`, lead to that route: those of the whole path, and those of
    /// what is left of it without the prefix, which may differ. In `/api//x/admin`, `x` is a host only after `/api` has
    /// been removed.
    fn is_unambiguous(&self, host: &str, path: &str, route: &Route<T>) -> bool {
        let same = |path: &str| self.route(host, path).is_some_and(|other| std::ptr::eq(other, route));
        let (prefix, rest) = path.split_at(route.prefix);
        readings::all(path, same) && (prefix.is_empty() || readings::all(rest, |rest| same(&[prefix, rest].concat())))
    }

    /// The target of the most specific route for the path as written, ignoring other readings.
    pub fn find_literal(&self, host: &str, path: &str) -> Option<&T> {
        self.route(host, path).map(|route| &route.target)
    }

    fn route(&self, host: &str, path: &str) -> Option<&Route<T>> {
        self.hosts(host).find_map(|paths| paths.find(path))
    }

    /// The routes of all patterns that match `host`, the most specific first.
    fn hosts<'a>(&'a self, host: &str) -> impl Iterator<Item = &'a Paths<T>> {
        let below = (!self.below.is_empty()).then(|| parents(host).filter_map(|parent| self.below.get(parent)));
        self.exact.get(host).into_iter().chain(below.into_iter().flatten())
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

#[derive(Debug, Clone)]
struct Route<T> {
    target: T,
    literal: bool,
    /// The length of its prefix, 0 for `/`.
    prefix: usize,
}

/// The routes of one pattern.
#[derive(Debug, Clone)]
struct Paths<T> {
    /// The route of `/`.
    root: Option<Route<T>>,
    by_prefix: FixedMap<PathPrefix, Route<T>>,
    /// Of the longest prefix: the part of a path beyond it need not be looked at.
    longest: usize,
}

impl<T> Default for Paths<T> {
    fn default() -> Self {
        Self { root: None, by_prefix: FixedMap::default(), longest: 0 }
    }
}

impl<T> Paths<T> {
    fn insert(&mut self, prefix: PathPrefix, route: Route<T>) -> Result<(), DuplicateRoute> {
        let length = route.prefix;
        if self.by_prefix.contains_key(&prefix) || (length == 0 && self.root.is_some()) {
            return Err(DuplicateRoute);
        }
        self.longest = self.longest.max(length);
        if length == 0 {
            self.root = Some(route);
        } else {
            self.by_prefix.insert(prefix, route);
        }
        Ok(())
    }

    fn find(&self, path: &str) -> Option<&Route<T>> {
        let mut end = if path.len() <= self.longest { path.len() } else { end_of_segment(path, self.longest) };
        while end > 0 {
            let prefix = &path[..end];
            let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
            if let Some(route) = self.by_prefix.get(prefix) {
                return Some(route);
            }
            // `*` has no slash. It asks about the server as a whole (RFC 9110, 9.3.7), and goes to the route of `/`.
            end = prefix.rfind('/').unwrap_or(0);
        }
        self.root.as_ref()
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
                ("a.example.com", "/", Some("wildcard")),
                ("a.example.com", "*", Some("wildcard")),
                ("c.b.example.com", "/x", Some("longer wildcard")),
                ("c.b.example.com", "/deep/path", Some("longer wildcard")),
                ("b.example.com", "/deep/path", Some("wildcard path")),
                ("example.com", "/", None),
                ("other.org", "/", None),
            ] {
                assert_eq!(table.find(host, path).ok().copied(), expected, "{host}{path}");
            }
        }
    }

    #[test]
    fn a_served_host_may_lack_a_path() {
        let table = table(&[("a/foo", "foo")]);
        assert_eq!(table.find("a", "/bar"), Err(NoRoute::NotFound));
        assert_eq!(table.find("a", "*"), Err(NoRoute::NotFound));
        assert!(table.served("a").is_some());
        assert!(table.served("b").is_none());
    }

    #[test]
    fn a_path_that_may_mean_another_route_is_refused() {
        let mut table = table(&[
            ("a/", "all"),
            ("a/admin", "admin"),
            ("a/admin/open", "open"),
            ("a/caf%C3%A9", "coffee"),
            ("*.b/", "any"),
            ("x.b/admin", "admin"),
        ]);
        for (host, path, expected) in [
            ("a", "//x", Ok("all")),
            ("a", "//x/y", Ok("all")),
            ("a", "//x/admin", Err(NoRoute::Ambiguous)),
            ("a", "///x/admin", Err(NoRoute::Ambiguous)),
            ("a", "/%u0061dmin", Err(NoRoute::Ambiguous)),
            ("a", "/x/../y;z/%2e%2e/%2f", Ok("all")),
            ("a", "/Admin", Ok("all")),
            ("a", "/administrator;x//", Ok("all")),
            ("a", "/admin//x;y/../z%2fw", Ok("admin")),
            ("a", "/caf%C3%A9/%20", Ok("coffee")),
            ("a", "/caf%c3%a9", Err(NoRoute::Ambiguous)),
            ("a", "/café", Err(NoRoute::Ambiguous)),
            ("a", "//admin", Err(NoRoute::Ambiguous)),
            ("a", "/admin/..", Err(NoRoute::Ambiguous)),
            ("a", "/admin%2f..", Err(NoRoute::Ambiguous)),
            ("a", "/admin%2Fx", Err(NoRoute::Ambiguous)),
            ("a", "/x%5cadmin", Ok("all")),
            ("a", "/x%5c..%5cadmin", Err(NoRoute::Ambiguous)),
            ("a", "/admin;x", Err(NoRoute::Ambiguous)),
            ("a", "/;x/admin", Err(NoRoute::Ambiguous)),
            ("a", "/x/..;/admin", Err(NoRoute::Ambiguous)),
            ("a", "/%61dmin", Err(NoRoute::Ambiguous)),
            ("a", "/%2561dmin", Err(NoRoute::Ambiguous)),
            ("a", "/admin%3fx", Err(NoRoute::Ambiguous)),
            ("a", "/admin%00", Err(NoRoute::Ambiguous)),
            ("a", "/admin/open/../x", Err(NoRoute::Ambiguous)),
            ("a", "/admin//open", Err(NoRoute::Ambiguous)),
            ("x.b", "/admin//x", Ok("admin")),
            ("x.b", "//admin", Err(NoRoute::Ambiguous)),
            ("x.b", "/admin/..", Err(NoRoute::Ambiguous)),
            // This host has a single route.
            ("y.b", "/admin/..;//%2f", Ok("any")),
        ] {
            assert_eq!(table.find(host, path).copied(), expected, "{host}{path}");
        }
        table.insert_literal("c".parse().unwrap(), "/".parse().unwrap(), "literal").unwrap();
        table.insert("c".parse().unwrap(), "/admin".parse().unwrap(), "admin").unwrap();
        assert_eq!(table.find("c", "//admin"), Ok(&"literal"));
        assert_eq!(table.find("c", "/admin/.."), Err(NoRoute::Ambiguous));
        assert_eq!(table.find_literal("c", "/admin/.."), Some(&"admin"));
    }

    #[test]
    fn a_single_route_with_a_prefix_has_ambiguous_paths() {
        let table = table(&[("a/foo", "foo")]);
        assert_eq!(table.find("a", "/foo/..//bar"), Err(NoRoute::Ambiguous));
        assert_eq!(table.find("a", "/bar/../foo"), Err(NoRoute::NotFound));
    }

    #[test]
    fn what_is_left_without_the_prefix_may_not_mean_another_route() {
        let table = table(&[
            ("a/api", "api"),
            ("a/api/admin", "admin"),
            ("a/v/1", "v"),
            ("b/api", "api"),
            ("b/api/api/admin", "inner"),
        ]);
        for (path, expected) in [
            ("/api", Ok("api")),
            ("/api/", Ok("api")),
            ("/api//", Ok("api")),
            ("/api//x", Ok("api")),
            ("/api//x/administrator", Ok("api")),
            ("/api//x/admin", Err(NoRoute::Ambiguous)),
            ("/api///x/admin", Err(NoRoute::Ambiguous)),
            ("/api//user@x:9/admin", Err(NoRoute::Ambiguous)),
            ("/api//x/../admin", Err(NoRoute::Ambiguous)),
            ("/api//x/y/../admin", Err(NoRoute::Ambiguous)),
            ("/api//.//admin", Err(NoRoute::Ambiguous)),
            ("/api/%2fx/admin", Err(NoRoute::Ambiguous)),
            ("/api/%5cx/admin", Err(NoRoute::Ambiguous)),
            ("/api/\\x/admin", Err(NoRoute::Ambiguous)),
            ("/api/;/x/admin", Err(NoRoute::Ambiguous)),
            ("/api/.//x/admin", Err(NoRoute::Ambiguous)),
            ("/api//x/%61dmin", Err(NoRoute::Ambiguous)),
            ("/api//x%3f/admin", Err(NoRoute::Ambiguous)),
            ("/api/..//admin", Err(NoRoute::Ambiguous)),
            ("/api/admin//x/y", Ok("admin")),
            ("/api;/admin", Err(NoRoute::NotFound)),
            ("/v/1//x/api/admin", Ok("v")),
        ] {
            assert_eq!(table.find("a", path).copied(), expected, "{path}");
        }
        // Whole, it means `/api/admin`, which is of the same route. `/../api/admin` does too, but without the prefix.
        assert_eq!(table.find("b", "/api/../api/admin"), Err(NoRoute::Ambiguous));
        assert_eq!(table.find("b", "/api/../api/user"), Ok(&"api"));
    }

    #[test]
    fn duplicates_are_refused() {
        let mut table = table(&[("a/foo", "first")]);
        assert_eq!(table.insert("A".parse().unwrap(), "/foo/".parse().unwrap(), "second"), Err(DuplicateRoute));
        assert_eq!(table.find("a", "/foo"), Ok(&"first"));
    }
}
