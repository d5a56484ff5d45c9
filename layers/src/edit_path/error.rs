use crate::{redirect::InvalidTarget, route::InvalidPath};

/// The error for text that is not a [`RewriteTarget`](super::RewriteTarget).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidRewrite {
    /// It does not begin with a slash.
    #[error("a path begins with a slash{}", hint.as_ref().map(|hint| format!(": write {hint:?}")).unwrap_or_default())]
    NotAbsolute {
        /// The path that was probably meant.
        hint: Option<Box<str>>,
    },
    /// It is a URL, or a path that leads to another host.
    #[error(
        "a rewrite only changes the path: write a path such as /new/{{*}}, and use a redirect to send clients elsewhere"
    )]
    Url,
    /// It has a fragment.
    #[error("a `#` begins a fragment, which no request has: write %23 for the character")]
    Fragment,
    /// Some backends would read it as another path.
    #[error("{0}")]
    Path(InvalidPath),
    /// Its placeholders are not valid.
    #[error(transparent)]
    Placeholders(#[from] InvalidTarget),
}

/// The error of a request whose path cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathRejected {
    /// Some backends would read the new path as one that no reading of the client's path leads to.
    #[error("the changed path is ambiguous: some backends would read it as another path")]
    Ambiguous,
    /// The new path and the query are too long, or not valid.
    #[error("the changed path would not be valid")]
    Invalid,
    /// The new path contains the host, but the request has none.
    #[error("the new path needs the host, but the request has no valid one")]
    NoHost,
}
