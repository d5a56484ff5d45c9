use std::{borrow::Borrow, fmt, str::FromStr};

use super::InvalidPath;

/// A path that matches only itself: `/foo` matches neither `/foo/` nor `/foo/bar`.
///
/// A trailing slash matters, as in other proxies: `/foo` and `/foo/` can have different routes, for example to redirect
/// one to the other. Many backends treat both alike, so a route that protects something should match both, preferably with
/// a [`PathPrefix`](super::PathPrefix).
///
/// ```
/// use pmesh_layers::route::{ExactPath, InvalidPath, RouteTable};
///
/// let mut table = RouteTable::new();
/// table.insert("a.example".parse()?, "/login".parse::<ExactPath>()?, "login")?;
/// assert_eq!(table.find("a.example", "/login"), Ok(&"login"));
/// assert!(table.find("a.example", "/login/").is_err());
/// assert_eq!("/a/../b".parse::<ExactPath>(), Err(InvalidPath::Ambiguous));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExactPath(Box<str>);

impl ExactPath {
    /// The path, percent-encoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ExactPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for ExactPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        InvalidPath::check(text)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ExactPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
