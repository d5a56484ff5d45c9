use std::{borrow::Borrow, fmt, str::FromStr};

use super::InvalidPath;

/// A path prefix that matches whole segments: `/foo` matches `/foo` and `/foo/bar`, but not `/foobar`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPrefix(Box<str>);

impl PathPrefix {
    /// Returns the prefix `/`, which matches every path.
    pub fn root() -> Self {
        Self("".into())
    }

    /// The prefix without a trailing slash, unless it is `/`.
    pub fn as_str(&self) -> &str {
        if self.0.is_empty() { "/" } else { &self.0 }
    }

    /// The prefix without a trailing slash; empty for `/`.
    pub(super) fn as_key(&self) -> &str {
        &self.0
    }

    /// Returns the rest of `path` after the prefix, with a leading slash; `None` if `path` does not match.
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
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        InvalidPath::check(text)?;
        Ok(Self(text.strip_suffix('/').unwrap_or(text).into()))
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_match_whole_segments() {
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
}
