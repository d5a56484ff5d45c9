use http::{HeaderMap, HeaderName, HeaderValue};

use super::original::list;
use crate::route::PathPrefix;

/// The prefix that proxies have removed from the path. The backend needs it to make links that work for the client.
pub const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// The values of [`X_FORWARDED_PREFIX`] and `last` as one value. Each proxy has removed its prefix from what the one
/// before it left. Malformed values are dropped.
pub(crate) fn joined(headers: &HeaderMap, last: &str) -> Option<HeaderValue> {
    let prefixes = list(headers, &X_FORWARDED_PREFIX).filter_map(|text| text.parse::<PathPrefix>().ok());
    let mut joined: String =
        prefixes.filter(|prefix| *prefix != PathPrefix::root()).map(|prefix| prefix.to_string()).collect();
    joined += last;
    HeaderValue::try_from(joined).ok().filter(|prefix| !prefix.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_are_one() {
        for (lines, last, expected) in [
            (&["/a"][..], "", Some("/a")),
            (&["/a/"], "/b", Some("/a/b")),
            (&["/a, /b/c", "/d"], "/e", Some("/a/b/c/d/e")),
            (&["/", ""], "", None),
            (&[], "/a", Some("/a")),
            // What leads elsewhere, or is no path.
            (&["//evil.test", "/a"], "", Some("/a")),
            (&["https://evil.test", "/a/../b", "/a?b", "a", "/\"", "/a b", "/\u{e9}"], "/b", Some("/b")),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(X_FORWARDED_PREFIX, HeaderValue::from_bytes(line.as_bytes()).unwrap());
            }
            assert_eq!(joined(&headers, last).as_ref().map(|prefix| prefix.to_str().unwrap()), expected, "{lines:?}");
        }
    }
}
