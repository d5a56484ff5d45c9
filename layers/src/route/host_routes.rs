mod any_case;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, hash_map::Entry},
    ops::BitOr,
};

use super::{
    Conditions, ExactPath, PathPrefix, PathRegex, RoutePath,
    place::{Place, Route},
    spellings::Spellings,
};
use crate::hash::FixedMap;

/// The routes of one host pattern.
#[derive(Debug, Clone)]
pub(super) struct HostRoutes<T> {
    /// The place of `/`.
    root: Option<Place<T>>,
    by_prefix: FixedMap<PathPrefix, Place<T>>,
    /// Length of the longest prefix. There is no need to look up longer ones.
    longest: usize,
    /// Boxed, because most hosts have none.
    others: Option<Box<Others<T>>>,
    pub(super) matters: Matters,
}

/// What could change the route of a path, here or at a wider host pattern.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Matters {
    /// Percent-encoding a byte that is not allowed in a path.
    pub(super) encoding: bool,
    /// Another case, even if the path is in lower case.
    pub(super) case: bool,
}

impl BitOr for Matters {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self { encoding: self.encoding | other.encoding, case: self.case | other.case }
    }
}

#[derive(Debug, Clone)]
struct Others<T> {
    exact: FixedMap<ExactPath, Place<T>>,
    /// In the order of insertion.
    regexes: FixedMap<PathPrefix, Vec<(PathRegex, Place<T>)>>,
    /// Boxed, because most paths are in lower case.
    spellings: Option<Box<Spellings>>,
}

impl<T> Default for HostRoutes<T> {
    fn default() -> Self {
        Self { root: None, by_prefix: FixedMap::default(), longest: 0, others: None, matters: Matters::default() }
    }
}

impl<T> Default for Others<T> {
    fn default() -> Self {
        Self { exact: FixedMap::default(), regexes: FixedMap::default(), spellings: None }
    }
}

impl<T> HostRoutes<T> {
    /// Adds a route. Returns `None` if there is one with the same path and conditions.
    pub(super) fn insert(&mut self, path: RoutePath, conditions: Conditions, route: Route<T>) -> Option<()> {
        match path {
            RoutePath::Exact(path) => {
                self.matters.encoding |= path.as_str().contains('%');
                if !route.exact_case {
                    self.record_spelling(path.as_str(), |spellings| &mut spellings.exact);
                }
                match self.others.get_or_insert_default().exact.entry(path) {
                    Entry::Occupied(place) => return place.into_mut().insert(conditions, route),
                    Entry::Vacant(free) => drop(free.insert(Place::new(0, conditions, route))),
                }
            }
            RoutePath::Prefix(prefix) => {
                let length = self.record_prefix(&prefix, &route);
                let place = if length == 0 { self.root.as_mut() } else { self.by_prefix.get_mut(&prefix) };
                if let Some(place) = place {
                    return place.insert(conditions, route);
                }
                let place = Place::new(length, conditions, route);
                if length == 0 {
                    self.root = Some(place);
                } else {
                    self.by_prefix.insert(prefix, place);
                }
            }
            RoutePath::Regex(prefix, regex) => {
                let length = self.record_prefix(&prefix, &route);
                self.matters.encoding = true;
                self.matters.case |= regex.has_upper_case() && !route.exact_case;
                let regexes = self.others.get_or_insert_default().regexes.entry(prefix).or_default();
                if let Some((_, place)) = regexes.iter_mut().find(|(other, _)| *other == regex) {
                    return place.insert(conditions, route);
                }
                regexes.push((regex, Place::new(length, conditions, route)));
            }
        }
        Some(())
    }

    /// Records a prefix, and returns its length.
    fn record_prefix(&mut self, prefix: &PathPrefix, route: &Route<T>) -> usize {
        let key = prefix.as_key();
        self.longest = self.longest.max(key.len());
        self.matters.encoding |= key.contains('%');
        if !route.exact_case {
            self.record_spelling(key, |spellings| &mut spellings.prefixes);
        }
        key.len()
    }

    /// Returns the place of `/` if it is the only one, so that no reading can match another.
    pub(super) fn only(&self) -> Option<&Place<T>> {
        if self.by_prefix.is_empty() && self.others.is_none() { self.root.as_ref() } else { None }
    }

    /// Returns the most specific place for a path.
    pub(super) fn find(&self, path: &str) -> Option<&Place<T>> {
        self.visit(path, Some)
    }

    /// Returns all places that match a path, the most specific first.
    pub(super) fn find_all(&self, path: &str) -> Vec<&Place<T>> {
        let mut all = Vec::new();
        self.visit(path, |place| {
            all.push(place);
            None
        });
        all
    }

    /// Calls `visit` with each place that matches a path, the most specific first, until it returns one.
    #[inline]
    fn visit<'a>(
        &'a self,
        path: &str,
        mut visit: impl FnMut(&'a Place<T>) -> Option<&'a Place<T>>,
    ) -> Option<&'a Place<T>> {
        let others = self.others.as_deref();
        if let Some(place) = others.and_then(|others| others.exact.get(path)).and_then(&mut visit) {
            return Some(place);
        }
        let mut visit_prefix = |prefix: &str, alone: Option<&'a Place<T>>| {
            let by_regex = others.and_then(|others| others.by_regex(prefix, path, &mut visit));
            by_regex.or_else(|| alone.and_then(&mut visit))
        };
        let mut end = if path.len() <= self.longest { path.len() } else { end_of_segment(path, self.longest) };
        while end > 0 {
            let prefix = &path[..end];
            let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
            if let Some(place) = visit_prefix(prefix, self.by_prefix.get(prefix)) {
                return Some(place);
            }
            // `*` has no slash. It stands for the whole server (RFC 9110, 9.3.7), so it gets the route of `/`.
            end = prefix.rfind('/').unwrap_or(0);
        }
        visit_prefix("", self.root.as_ref())
    }

    /// Returns all places in the order in which they are tried.
    pub(super) fn in_order(&self) -> Vec<&Place<T>> {
        let root = PathPrefix::root();
        let others = self.others.as_deref();
        let exact: BTreeMap<_, _> = others.iter().flat_map(|others| &others.exact).collect();
        let with_regexes = others.iter().flat_map(|others| others.regexes.keys());
        let mut prefixes: Vec<_> = self.by_prefix.keys().chain(with_regexes).chain([&root]).collect();
        prefixes.sort_unstable_by_key(|prefix| (Reverse(prefix.as_key().len()), *prefix));
        prefixes.dedup();
        let below = prefixes.into_iter().flat_map(|prefix| {
            let regexes = others.and_then(|others| others.regexes.get(prefix)).into_iter().flatten();
            let alone = if *prefix == root { self.root.as_ref() } else { self.by_prefix.get(prefix) };
            regexes.map(|(_, place)| place).chain(alone)
        });
        exact.into_values().chain(below).collect()
    }
}

impl<T> Others<T> {
    #[cold]
    fn by_regex<'a>(
        &'a self,
        prefix: &str,
        path: &str,
        mut visit: impl FnMut(&'a Place<T>) -> Option<&'a Place<T>>,
    ) -> Option<&'a Place<T>> {
        let regexes = self.regexes.get(prefix)?.iter();
        regexes.filter(|(regex, _)| regex.is_match(path)).find_map(|(_, place)| visit(place))
    }
}

/// Returns the end of the last segment of `path` that ends at or before `limit`.
#[inline]
fn end_of_segment(path: &str, limit: usize) -> usize {
    if path.as_bytes()[limit] == b'/' {
        limit
    } else {
        path.as_bytes()[..limit].iter().rposition(|b| *b == b'/').unwrap_or(0)
    }
}
