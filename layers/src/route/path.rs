use std::{
    borrow::{Borrow, Cow},
    fmt,
    str::FromStr,
};

/// The beginning of a path, by whole segments: `/foo` begins `/foo` and `/foo/bar`, but not `/foobar`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathPrefix(Box<str>);

impl PathPrefix {
    /// `/`, which begins every path.
    pub fn root() -> Self {
        Self("".into())
    }

    /// Without a slash at the end; empty for `/`.
    pub(super) fn as_key(&self) -> &str {
        &self.0
    }

    /// What is left of `path` behind the prefix, with its leading slash; `None` when it begins otherwise.
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
        if normalize(text) != text {
            return Err(InvalidPrefix::NotNormal);
        }
        let prefix = text.strip_suffix('/').unwrap_or(text);
        if prefix.ends_with('/') {
            return Err(InvalidPrefix::EmptyEnd);
        }
        Ok(Self(prefix.into()))
    }
}

impl fmt::Display for PathPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "/" } else { &self.0 })
    }
}

/// Text that is no prefix of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPrefix {
    /// No slash at the beginning.
    #[error("a path prefix begins with a slash")]
    NotAbsolute,
    /// A byte that no path has, or the beginning of a query.
    #[error("a path prefix is the path of a URI, percent-encoded and without a query")]
    NotAPath,
    /// Requests are matched in normal form, so this would match none.
    #[error("a path prefix has no dot segments and no needless percent-encoding")]
    NotNormal,
    /// Two slashes at the end: as a slash at the end makes no difference, it would be unclear what they mean.
    #[error("a path prefix has no two slashes at its end")]
    EmptyEnd,
}

/// The path that a backend would see, were it to read the dots and needless percent-encodings in it (RFC 3986, 6.2.2):
/// `/a/../b` and `/%62` are `/b`. So nobody reaches a route by writing the path of another one.
pub(super) fn normalize(path: &str) -> Cow<'_, str> {
    if !path.contains('%') && !path.contains("/.") {
        return Cow::Borrowed(path);
    }
    let decoded = decode_unreserved(path);
    let mut segments: Vec<&str> = Vec::new();
    let mut ends_open = false;
    for segment in decoded.split('/').skip(1) {
        ends_open = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            other => segments.push(other),
        }
    }
    if ends_open {
        segments.push("");
    }
    let mut normal = String::with_capacity(path.len());
    for segment in segments {
        normal.push('/');
        normal.push_str(segment);
    }
    Cow::Owned(normal)
}

fn decode_unreserved(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(percent) = rest.find('%') {
        decoded.push_str(&rest[..percent]);
        rest = &rest[percent..];
        let byte = rest.get(1..3).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte.map(char::from) {
            Some(plain) if plain.is_ascii_alphanumeric() || matches!(plain, '-' | '.' | '_' | '~') => {
                decoded.push(plain);
                rest = &rest[3..];
            }
            _ => {
                decoded.push('%');
                rest = &rest[1..];
            }
        }
    }
    decoded.push_str(rest);
    decoded
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
            ("/a/../b", InvalidPrefix::NotNormal),
            ("/%61", InvalidPrefix::NotNormal),
            ("//", InvalidPrefix::EmptyEnd),
            ("/a//", InvalidPrefix::EmptyEnd),
        ] {
            assert_eq!(text.parse::<PathPrefix>(), Err(error), "{text}");
        }
    }

    #[test]
    fn normal_form() {
        for (path, normal) in [
            ("/a/b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/../../b", "/b"),
            ("/a/..", "/"),
            ("/a/.", "/a/"),
            ("/.well-known/x", "/.well-known/x"),
            ("/%61%2Fb%zz%", "/a%2Fb%zz%"),
            ("/a%", "/a%"),
            ("/%c3%a9", "/%c3%a9"),
        ] {
            assert_eq!(normalize(path), normal, "{path}");
        }
    }
}
