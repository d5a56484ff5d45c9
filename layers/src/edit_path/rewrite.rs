use http::Request;

use super::{PathRejected, RewriteTarget};
#[cfg(feature = "regex")]
use crate::route::PathRegex;
use crate::{
    redirect::{Sources, rewritten_path, rewritten_query},
    route::PathPrefix,
};

/// Replaces the path with a [`RewriteTarget`].
///
/// With a [`regex`](Self::regex), it only replaces paths that match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    target: RewriteTarget,
    /// How to take values from the path.
    sources: Sources,
}

impl Rewrite {
    /// Replaces every path with `target`.
    pub fn to(target: RewriteTarget) -> Self {
        Self { target, sources: Sources::default() }
    }

    /// Adds a prefix, so that `{*}` stands for the rest of the path after it. If several match, the longest is used. If
    /// none matches, `{*}` is the whole path without its leading slash.
    #[must_use]
    pub fn prefix(mut self, prefix: PathPrefix) -> Self {
        self.sources = self.sources.prefix(prefix);
        self
    }

    /// Replaces only paths that match `regex`, whose groups are `{1}`, `{2}` and so on. It replaces the whole path, even if
    /// `regex` matches only a part of it. A group that is not part of the match is empty.
    #[cfg(feature = "regex")]
    #[must_use]
    pub fn regex(mut self, regex: PathRegex) -> Self {
        self.sources = self.sources.regex(regex);
        self
    }

    /// Returns the new path; `None` if `path` does not match. The values are not encoded, because they are parts of a path.
    pub(super) fn path<B>(&self, path: &str, request: &Request<B>) -> Result<Option<String>, PathRejected> {
        rewritten_path(&self.target.target, &self.sources, path, request)
            .map(|path| path.ok_or(PathRejected::NoHost))
            .transpose()
    }

    /// Returns the query of the target; `None` if it has none.
    pub(super) fn query<B>(&self, path: &str, request: &Request<B>) -> Result<Option<String>, PathRejected> {
        rewritten_query(&self.target.target, &self.sources, path, request)
            .map(|query| query.ok_or(PathRejected::NoHost))
            .transpose()
    }
}
