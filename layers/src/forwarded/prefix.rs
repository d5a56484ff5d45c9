use http::{HeaderMap, HeaderName, HeaderValue};

use super::original::list;
use crate::route::PathPrefix;

/// The `X-Forwarded-Prefix` header: the prefix that proxies have removed from the path. Backends need it to create links
/// that work for the client.
pub const X_FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Joins the values of [`X_FORWARDED_PREFIX`] and `last`, because each proxy has removed another part of the path.
/// Malformed values are dropped.
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
    fn several_prefixes_are_joined() {
        for (lines, last, expected) in [
            (&["/a"][..], "", Some("/a")),
            (&["/a/"], "/b", Some("/a/b")),
            (&["/a, /b/c", "/d"], "/e", Some("/a/b/c/d/e")),
            (&["/", ""], "", None),
            (&[], "/a", Some("/a")),
            // Malformed values, and some that lead to another host.
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
