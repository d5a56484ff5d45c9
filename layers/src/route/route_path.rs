use std::fmt;

use super::{ExactPath, PathPrefix, PathRegex};

/// The paths of a route.
///
/// It is displayed as in nginx: `=/path` for an exact path, and `/prefix ~ regex` for a regular expression.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RoutePath {
    /// One path.
    Exact(ExactPath),
    /// All paths below a prefix.
    Prefix(PathPrefix),
    /// The paths below a prefix that match a regular expression. The expression is applied to the whole path.
    Regex(PathPrefix, PathRegex),
}

impl From<ExactPath> for RoutePath {
    fn from(path: ExactPath) -> Self {
        Self::Exact(path)
    }
}

impl From<PathPrefix> for RoutePath {
    fn from(prefix: PathPrefix) -> Self {
        Self::Prefix(prefix)
    }
}

impl From<(PathPrefix, PathRegex)> for RoutePath {
    fn from((prefix, regex): (PathPrefix, PathRegex)) -> Self {
        Self::Regex(prefix, regex)
    }
}

/// The prefix is `/`.
impl From<PathRegex> for RoutePath {
    fn from(regex: PathRegex) -> Self {
        Self::Regex(PathPrefix::root(), regex)
    }
}

impl fmt::Display for RoutePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(path) => write!(f, "={path}"),
            Self::Prefix(prefix) => prefix.fmt(f),
            Self::Regex(prefix, regex) => write!(f, "{prefix} ~ {regex}"),
        }
    }
}
