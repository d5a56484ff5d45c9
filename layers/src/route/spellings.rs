//! How the paths of routes are written.

use crate::hash::FixedMap;

/// The paths of routes that are not folded, by their folded form.
#[derive(Debug, Clone, Default)]
pub(super) struct Spellings {
    pub(super) exact: ByFolded,
    pub(super) prefixes: ByFolded,
}

pub(super) type ByFolded = FixedMap<Box<str>, Vec<Box<str>>>;

/// How the beginning of a path is written in a route.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spelling<'a> {
    pub(super) written: &'a str,
    /// Its length in the folded path.
    pub(super) folded_len: usize,
}
