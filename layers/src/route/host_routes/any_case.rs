//! Looks up a path without regard to case.

use std::iter::{once, successors};

use super::{HostRoutes, end_of_segment};
use crate::route::{
    PathRegex, case,
    place::Place,
    readings,
    spellings::{ByFolded, Spelling, Spellings},
};

impl<T> HostRoutes<T> {
    /// Records the path of a route, unless it is folded.
    pub(super) fn record_spelling(&mut self, path: &str, map: fn(&mut Spellings) -> &mut ByFolded) {
        let folded = case::fold(path);
        if folded == path {
            return;
        }
        // Folding can make some characters longer.
        self.longest = self.longest.max(folded.len());
        self.matters.case = true;
        let spellings = self.others.get_or_insert_default().spellings.get_or_insert_default();
        let written = map(spellings).entry(folded.into()).or_default();
        if !written.iter().any(|other| **other == *path) {
            written.push(path.into());
        }
    }

    /// Whether `place`, which a path matches here as written, is also among its most specific places if case is ignored.
    #[inline(never)]
    pub(in crate::route) fn is_same_in_any_case(&self, path: &str, place: &Place<T>) -> bool {
        (self.others.is_none() && !readings::may_have_case(self.beginning(path)))
            || place.has_exact_case()
            || case::with_folded(path, |folded| self.is_found_in_any_case(path, folded, place) == Some(true))
    }

    /// The segments within the length of the longest prefix, and the next one. If there are only prefixes, nothing behind them
    /// can change the route.
    fn beginning<'p>(&self, path: &'p str) -> &'p str {
        let behind = path.as_bytes().get(self.longest..).unwrap_or_default();
        let end = behind.iter().position(|byte| *byte == b'/').map_or(path.len(), |slash| self.longest + slash);
        &path[..end]
    }

    /// Whether `place` is among the most specific places for `path` if case is ignored; `None` if there are none.
    pub(in crate::route) fn is_found_in_any_case(&self, path: &str, folded: &str, place: &Place<T>) -> Option<bool> {
        let mut is_same = false;
        let is_found = self.find_in_any_case(path, folded, &mut |_, other| is_same |= std::ptr::eq(other, place));
        is_found.then_some(is_same)
    }

    /// Calls `visit` with the most specific places for `path` if case is ignored. There can be several whose paths differ
    /// only in case. Returns whether there are any.
    pub(in crate::route) fn find_in_any_case<'a>(
        &'a self,
        path: &str,
        folded: &str,
        visit: &mut impl FnMut(Spelling<'_>, &'a Place<T>),
    ) -> bool {
        let mut is_found = false;
        let mut visit_all = |folded: &str, written: &[Box<str>], find: &dyn Fn(&str) -> Option<&'a Place<T>>| {
            for written in once(folded).chain(written.iter().map(|written| &**written)) {
                if let Some(place) = find(written).filter(|place| !place.has_exact_case()) {
                    visit(Spelling { written, folded_len: folded.len() }, place);
                    is_found = true;
                }
            }
            is_found
        };
        let others = self.others.as_deref();
        let spellings = others.and_then(|others| others.spellings.as_deref());
        if let Some(others) = others {
            let written = spellings.and_then(|spellings| spellings.exact.get(folded));
            if visit_all(folded, written.map_or(&[], Vec::as_slice), &|path| others.exact.get(path)) {
                return true;
            }
        }
        self.prefixes(folded).any(|prefix| {
            let written = spellings.and_then(|spellings| spellings.prefixes.get(prefix));
            let written = written.map_or(&[][..], Vec::as_slice);
            let by_regex = |prefix: &str| {
                let mut regexes = others?.regexes.get(prefix)?.iter();
                let matches = |(regex, place): &&(PathRegex, Place<T>)| {
                    !place.has_exact_case() && regex.is_match_in_any_case(path, folded)
                };
                regexes.find(matches).map(|(_, place)| place)
            };
            let alone = |prefix: &str| if prefix.is_empty() { self.root.as_ref() } else { self.by_prefix.get(prefix) };
            (others.is_some() && visit_all(prefix, written, &by_regex)) || visit_all(prefix, written, &alone)
        })
    }

    /// Returns the prefixes of a path that could have routes, the longest first, without slashes at their ends.
    fn prefixes<'p>(&self, path: &'p str) -> impl Iterator<Item = &'p str> {
        let end = if path.len() <= self.longest { path.len() } else { end_of_segment(path, self.longest) };
        let trim = |prefix: &'p str| prefix.strip_suffix('/').unwrap_or(prefix);
        successors(Some(trim(&path[..end])), move |prefix| {
            // `*` has no slash, and gets the route of `/`.
            (!prefix.is_empty()).then(|| trim(&prefix[..prefix.rfind('/').unwrap_or(0)]))
        })
    }
}
