use std::cmp::Reverse;

use http::Request;

use super::{
    Candidate, Considered, NoRoute, Rule, Verdict, case,
    host_routes::{HostRoutes, Matters},
    parts::Parts,
    place::{Place, Route},
    readings,
    spellings::Spelling,
};
use crate::{
    hash::FixedMap,
    host::{HostName, HostPattern, ServedHosts, parents},
};

/// A table that finds the most specific route for a request.
///
/// The host decides first, then the path, then the conditions. More specific routes come first:
///
/// 1. an exact host, then the longest wildcard that has a route for the path;
/// 2. an exact path, then the longest prefix;
/// 3. for the same prefix, its regular expressions in the order of insertion, then the prefix alone;
/// 4. for the same path, the rules with [`Conditions`](super::Conditions) other than methods, then rules with only methods,
///    then the one without conditions, and within each of these groups the order of insertion.
///
/// Conditions choose only among the rules of the path that was found. If none of them matches, the request has no route,
/// even if a shorter prefix or a wildcard host has one: if `/admin` has a route only for GET, a POST to `/admin` does not
/// reach the route of `/`.
///
/// A lookup takes a step for each label of the host and each segment of the path, however many routes there are. It also
/// tries the regular expressions and conditions of the paths that it visits.
///
/// Paths are matched exactly as written, and are case-sensitive. A path that a backend may read as that of another route, such
/// as `/ADMIN` or `//admin`, is rejected, whether or not the prefix is removed; see [`NoRoute::Ambiguous`].
///
/// ```
/// use http::Request;
/// use pmesh_layers::route::{Conditions, ExactPath, PathPrefix, PathRegex, RouteTable, Rule};
///
/// let mut table = RouteTable::new();
/// let prefix: PathPrefix = "/".parse()?;
/// table.insert("*.example.com".parse()?, prefix.clone(), "any host")?;
/// table.insert("www.example.com".parse()?, prefix.clone(), "any path")?;
/// table.insert("www.example.com".parse()?, "/login".parse::<ExactPath>()?, "login")?;
/// table.insert("www.example.com".parse()?, "^/@[a-z]+$".parse::<PathRegex>()?, "profile")?;
/// let feed = Conditions::new().header("accept".parse()?, "application/activity+json");
/// table.insert("www.example.com".parse()?, Rule::from(prefix).when(feed), "feed")?;
///
/// for (host, path, expected) in [
///     ("a.example.com", "/login", "any host"),
///     ("www.example.com", "/login", "login"),
///     ("www.example.com", "/login/", "any path"),
///     ("www.example.com", "/@ann", "profile"),
/// ] {
///     assert_eq!(table.find(host, path), Ok(&expected));
/// }
/// let request = Request::get("/").header("accept", "application/activity+json, */*;q=0.1").body(())?;
/// assert_eq!(table.find_for("www.example.com", &request), Ok(&"feed"));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct RouteTable<T> {
    exact: FixedMap<HostName, HostRoutes<T>>,
    below: FixedMap<HostName, HostRoutes<T>>,
}

impl<T> Default for RouteTable<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> RouteTable<T> {
    /// Creates a table without routes.
    pub fn new() -> Self {
        Self { exact: FixedMap::default(), below: FixedMap::default() }
    }

    /// Adds a route. A path alone is a rule for all requests to it. To add conditions, use a [`Rule`].
    ///
    /// # Errors
    ///
    /// [`DuplicateRoute`] if there is a route with the same host pattern, path and conditions, which is kept.
    pub fn insert(&mut self, pattern: HostPattern, rule: impl Into<Rule>, target: T) -> Result<(), DuplicateRoute> {
        let Rule { path, conditions, literal, exact_case } = rule.into();
        let (HostPattern::Exact(name) | HostPattern::Below(name)) = &pattern;
        let matters_to_wider =
            self.wildcards(name.as_str()).fold(Matters::default(), |all, routes| all | routes.matters);
        let wildcard = matches!(pattern, HostPattern::Below(_)).then(|| pattern.clone());
        let routes = match pattern {
            HostPattern::Exact(name) => self.exact.entry(name),
            HostPattern::Below(parent) => self.below.entry(parent),
        };
        let routes = routes.or_default();
        let before = routes.matters | matters_to_wider;
        routes.matters = before;
        let inserted = routes.insert(path, conditions, Route { target, literal, exact_case });
        let now = routes.matters;
        if let Some(wildcard) = wildcard.filter(|_| now != before) {
            // A path of these hosts can have a reading that matches the new route.
            let narrower = self.exact.iter_mut().chain(&mut self.below).filter(|(name, _)| wildcard.matches(name));
            narrower.for_each(|(_, routes)| routes.matters = routes.matters | now);
        }
        inserted.ok_or(DuplicateRoute)
    }

    /// Returns the target of the most specific route for a request. `host` must be in canonical form.
    ///
    /// # Errors
    ///
    /// [`NoRoute`] if there is no route, if the path is ambiguous, or if its routes are for other methods.
    pub fn find_for<B>(&self, host: &str, request: &Request<B>) -> Result<&T, NoRoute> {
        self.choose(host, request.uri().path(), || Parts::from_request(request))
    }

    /// Returns the target of the most specific route for a GET without query, headers and client address. `host` must be
    /// in canonical form, and `path` as written in a request.
    ///
    /// # Errors
    ///
    /// See [`find_for`](Self::find_for).
    pub fn find(&self, host: &str, path: &str) -> Result<&T, NoRoute> {
        self.choose(host, path, || Parts::BARE)
    }

    /// Like [`find`](Self::find), but accepts ambiguous paths.
    pub fn find_literal(&self, host: &str, path: &str) -> Option<&T> {
        let route = self.place(host, path)?.choose(|| Parts::BARE).ok()?;
        Some(&route.target)
    }

    /// Explains [`find_for`](Self::find_for): returns its result, and all routes for the host and the path.
    ///
    /// ```
    /// use http::Request;
    /// use pmesh_layers::route::{PathPrefix, RouteTable, Verdict};
    ///
    /// let mut table = RouteTable::new();
    /// table.insert("a.example".parse()?, PathPrefix::root(), "all")?;
    /// table.insert("a.example".parse()?, "/api".parse::<PathPrefix>()?, "api")?;
    /// table.insert("a.example".parse()?, "/apis".parse::<PathPrefix>()?, "apis")?;
    ///
    /// let considered = table.consider("a.example", &Request::get("/api/users").body(())?);
    /// assert_eq!(considered.result, Ok(&"api"));
    /// let candidates: Vec<_> = considered.candidates.iter().map(|one| (*one.target, one.verdict)).collect();
    /// assert_eq!(candidates, [("api", Verdict::Chosen), ("all", Verdict::LessSpecific)]);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn consider<B>(&self, host: &str, request: &Request<B>) -> Considered<'_, T> {
        let path = request.uri().path();
        let result = self.find_for(host, request);
        let mut places = self.of_host(host).flat_map(|routes| routes.find_all(path));
        let first = places.next();
        let other_reading = match (&result, first) {
            (Err(NoRoute::Ambiguous), Some(place)) => self.other_reading(host, path, place),
            _ => None,
        };
        let mut candidates = Vec::new();
        let mut is_chosen = false;
        for (target, unmet) in first.map(|place| place.try_all(|| Parts::from_request(request))).unwrap_or_default() {
            let verdict = match unmet {
                Some(unmet) => Verdict::Unmet(unmet),
                None if is_chosen => Verdict::Later,
                None => {
                    is_chosen = true;
                    Verdict::Chosen
                }
            };
            candidates.push(Candidate { target, verdict });
        }
        let wider = places.flat_map(Place::in_order);
        candidates.extend(wider.map(|(target, _)| Candidate { target, verdict: Verdict::LessSpecific }));
        Considered { result, candidates, other_reading }
    }

    /// Returns all routes in the order in which they are tried, host by host: exact names, then wildcards, the longest
    /// first.
    ///
    /// ```
    /// use http::Method;
    /// use pmesh_layers::route::{Conditions, PathPrefix, RouteTable, Rule};
    ///
    /// let mut table = RouteTable::new();
    /// let (get, head) = (Conditions::new().methods([Method::GET]), Conditions::new().methods([Method::HEAD]));
    /// table.insert("*.example".parse()?, PathPrefix::root(), "wildcard")?;
    /// table.insert("a.example".parse()?, PathPrefix::root(), "all")?;
    /// table.insert("a.example".parse()?, Rule::new(PathPrefix::root()).when(get), "get")?;
    /// table.insert("a.example".parse()?, Rule::new(PathPrefix::root()).when(head), "head")?;
    ///
    /// let routes: Vec<_> = table.in_order().into_iter().map(|listed| (*listed.target, listed.hidden_by.copied())).collect();
    /// assert_eq!(routes, [("get", None), ("head", Some("get")), ("all", None), ("wildcard", None)]);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn in_order(&self) -> Vec<ListedRoute<'_, T>> {
        let mut exact: Vec<_> = self.exact.iter().collect();
        exact.sort_unstable_by_key(|(name, _)| *name);
        let mut below: Vec<_> = self.below.iter().collect();
        below.sort_unstable_by_key(|(parent, _)| (Reverse(parent.as_str().len()), *parent));
        let places = exact.into_iter().chain(below).flat_map(|(_, routes)| routes.in_order());
        places.flat_map(Place::in_order).map(|(target, hidden_by)| ListedRoute { target, hidden_by }).collect()
    }

    #[inline]
    fn choose<'r>(&self, host: &str, path: &str, parts: impl FnOnce() -> Parts<'r>) -> Result<&T, NoRoute> {
        match self.exact.get(host) {
            Some(first) => {
                self.choose_from(first, || self.wildcards(host).find_map(|routes| routes.find(path)), host, path, parts)
            }
            None => {
                let mut wildcards = self.wildcards(host);
                let first = wildcards.next().ok_or(NoRoute::NotFound)?;
                self.choose_from(first, || wildcards.find_map(|routes| routes.find(path)), host, path, parts)
            }
        }
    }

    /// Chooses among the routes of the most specific host pattern, or else among the routes that `wider` finds.
    #[inline]
    fn choose_from<'a, 'r>(
        &'a self,
        first: &'a HostRoutes<T>,
        wider: impl FnOnce() -> Option<&'a Place<T>>,
        host: &str,
        path: &str,
        parts: impl FnOnce() -> Parts<'r>,
    ) -> Result<&'a T, NoRoute> {
        if let Some(only) = first.only() {
            return Ok(&only.choose(parts)?.target);
        }
        let here = first.find(path);
        let place = here.or_else(wider).ok_or(NoRoute::NotFound)?;
        let route = place.choose(parts)?;
        let scan = readings::scan(path);
        let has_one_reading = scan.is_plain && (!first.matters.encoding || readings::is_allowed(path));
        let has_one_case = !(scan.may_have_case || first.matters.case);
        if (has_one_reading && has_one_case) || route.literal {
            return Ok(&route.target);
        }
        let is_same_in_any_case = || match here {
            Some(place) => first.is_same_in_any_case(path, place),
            None => self.is_same_in_any_case(host, path, place),
        };
        let is_clear =
            (has_one_case || is_same_in_any_case()) && (has_one_reading || self.is_unambiguous(host, path, place));
        if is_clear { Ok(&route.target) } else { Err(NoRoute::Ambiguous) }
    }

    /// Whether all other readings of `path`, which matches `place`, match that place as well. This includes readings of the
    /// rest after the prefix, which can differ: in `/api//x/admin`, `x` is a host only after `/api` has been removed.
    /// Conditions do not matter, because they check other parts of the request.
    #[cold]
    fn is_unambiguous(&self, host: &str, path: &str, place: &Place<T>) -> bool {
        Self::all_readings(path, place.prefix, |reading| {
            self.is_place_of(host, reading, place) && self.is_same_in_any_case(host, reading, place)
        })
    }

    /// Returns a reading of `path` that does not match `place`.
    fn other_reading(&self, host: &str, path: &str, place: &Place<T>) -> Option<String> {
        let mut other = None;
        let mut check = |reading: &str| {
            let is_place = self.is_place_of(host, reading, place);
            let is_same = is_place && self.is_same_in_any_case(host, reading, place);
            if !is_same {
                other = if is_place { self.other_case(host, reading) } else { Some(reading.to_owned()) };
            }
            is_same
        };
        let _ = check(path) && Self::all_readings(path, place.prefix, check);
        other
    }

    fn is_place_of(&self, host: &str, path: &str, place: &Place<T>) -> bool {
        self.place(host, path).is_some_and(|other| std::ptr::eq(other, place))
    }

    /// Whether `place`, which `path` matches, is also among the most specific places if case is ignored.
    #[cold]
    fn is_same_in_any_case(&self, host: &str, path: &str, place: &Place<T>) -> bool {
        let is_same = |folded: &str| {
            self.of_host(host).find_map(|routes| routes.is_found_in_any_case(path, folded, place)) == Some(true)
        };
        place.has_exact_case() || case::with_folded(path, is_same)
    }

    /// Returns `path` in another case, in which it matches another place.
    fn other_case(&self, host: &str, path: &str) -> Option<String> {
        let folded = case::fold(path);
        let mut other = None;
        let mut check = |spelling: Spelling<'_>, place: &Place<T>| {
            let rest = &folded[spelling.folded_len..];
            let spellings = [rest.to_owned(), rest.to_ascii_uppercase()].map(|rest| [spelling.written, &rest].concat());
            other = other.take().or_else(|| spellings.into_iter().find(|path| self.is_place_of(host, path, place)));
        };
        self.of_host(host).any(|routes| routes.find_in_any_case(path, &folded, &mut check));
        other
    }

    /// Whether `accept` returns true for all readings of `path`, and of its rest after a prefix of this length.
    fn all_readings(path: &str, prefix: usize, mut accept: impl FnMut(&str) -> bool) -> bool {
        let (prefix, rest) = path.split_at(prefix);
        readings::all(path, &mut accept)
            && (prefix.is_empty() || readings::all(rest, |rest| accept(&[prefix, rest].concat())))
    }

    fn place(&self, host: &str, path: &str) -> Option<&Place<T>> {
        self.of_host(host).find_map(|routes| routes.find(path))
    }

    /// Returns the routes of all patterns that match `host`, the most specific first.
    fn of_host<'a>(&'a self, host: &str) -> impl Iterator<Item = &'a HostRoutes<T>> {
        self.exact.get(host).into_iter().chain(self.wildcards(host))
    }

    /// Returns the routes of all wildcards that match `host`, the most specific first.
    fn wildcards<'a>(&'a self, host: &str) -> impl Iterator<Item = &'a HostRoutes<T>> {
        let below = (!self.below.is_empty()).then(|| parents(host).filter_map(|parent| self.below.get(parent)));
        below.into_iter().flatten()
    }
}

impl<T> ServedHosts for RouteTable<T> {
    /// A host is served if it has any route.
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

/// A route as listed by [`RouteTable::in_order`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListedRoute<'a, T> {
    /// The target of the route.
    pub target: &'a T,
    /// The target of an earlier route with the same host and path that gets all requests of this one, if there is such a
    /// route.
    pub hidden_by: Option<&'a T>,
}

/// The error of a second route for the same host pattern and path, with the same conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is a route for the same host and path, with the same conditions")]
pub struct DuplicateRoute;

#[cfg(test)]
mod tests;
