use std::{borrow::Borrow, fmt, str::FromStr};

use super::readings;

/// A path prefix that matches whole segments: `/foo` matches `/foo` and `/foo/bar`, but not `/foobar`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPrefix(Box<str>);

impl PathPrefix {
    /// `/`, which matches every path.
    pub fn root() -> Self {
        Self("".into())
    }

    /// Without a slash at the end; empty for `/`.
    pub(super) fn as_key(&self) -> &str {
        &self.0
    }

    /// The rest of `path` after the prefix, with its leading slash; `None` if it does not match.
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        match path.strip_prefix(&*self.0)? {
            "" => Some("/"),
            rest => rest.starts_with('/').then_some(rest),
        }
    }
}

impl Borrow<str> for PathPrefix {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl FromStr for PathPrefix {
    type Err = InvalidPrefix;

    fn from_str(text: &str) -> Result<Self, InvalidPrefix> {
        if !text.starts_with('/') {
            return Err(InvalidPrefix::NotAbsolute);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#')) {
            return Err(InvalidPrefix::NotAPath);
        }
        if !readings::is_only(text) {
            return Err(InvalidPrefix::Ambiguous);
        }
        Ok(Self(text.strip_suffix('/').unwrap_or(text).into()))
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

/// Text that is not a path prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPrefix {
    /// It does not begin with a slash.
    #[error("a path prefix begins with a slash")]
    NotAbsolute,
    /// It has a byte that is not allowed in a path, or a query.
    #[error("a path prefix is the path of a URI, percent-encoded and without a query")]
    NotAPath,
    /// Some backends would read it differently, so that requests for it would be ambiguous.
    #[error(
        "a path prefix must have a single reading: no dot segments, `//`, `;` or `\\`, and percent-encoding only in \
         capitals and only of characters that a path cannot contain as they are"
    )]
    Ambiguous,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_at_segments() {
        let prefix: PathPrefix = "/foo/".parse().unwrap();
        assert_eq!(prefix.to_string(), "/foo");
        for (path, rest) in
            [("/foo", Some("/")), ("/foo/", Some("/")), ("/foo/bar", Some("/bar")), ("/foobar", None), ("/", None)]
        {
            assert_eq!(prefix.strip(path), rest, "{path}");
        }
        let root: PathPrefix = "/".parse().unwrap();
        assert_eq!((root.to_string().as_str(), root.strip("/a"), root.strip("/")), ("/", Some("/a"), Some("/")));
    }

    #[test]
    fn what_is_no_prefix_is_refused() {
        for (text, error) in [
            ("", InvalidPrefix::NotAbsolute),
            ("foo", InvalidPrefix::NotAbsolute),
            ("/a?b", InvalidPrefix::NotAPath),
            ("/a b", InvalidPrefix::NotAPath),
            ("/é", InvalidPrefix::NotAPath),
            ("/a/../b", InvalidPrefix::Ambiguous),
            ("/%61", InvalidPrefix::Ambiguous),
            ("/%c3%a9", InvalidPrefix::Ambiguous),
            ("/a%2Fb", InvalidPrefix::Ambiguous),
            ("/a;b", InvalidPrefix::Ambiguous),
            ("//", InvalidPrefix::Ambiguous),
            ("/a//", InvalidPrefix::Ambiguous),
        ] {
            assert_eq!(text.parse::<PathPrefix>(), Err(error), "{text}");
        }
    }
}
