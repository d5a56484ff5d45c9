//! The file that the path of a request names.

use std::{ffi::OsString, os::unix::ffi::OsStringExt, path::PathBuf};

use percent_encoding::percent_decode;

/// The one name that may begin with a dot, as the first segment (RFC 8615).
const WELL_KNOWN: &[u8] = b".well-known";

/// A path relative to the root, without `..` and hidden names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) path: PathBuf,
    /// Whether it ends with a slash, so that only a folder can match.
    pub(super) is_folder: bool,
}

impl Named {
    /// Decodes the path of a URI once, and skips empty segments. Returns `None` if the path cannot name a file that is
    /// served.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let mut decoded = Vec::with_capacity(path.len());
        for segment in path.strip_prefix('/')?.split('/').filter(|segment| !segment.is_empty()) {
            let begin = decoded.len() + usize::from(!decoded.is_empty());
            if begin > 0 {
                decoded.push(b'/');
            }
            decoded.extend(percent_decode(segment.as_bytes()));
            let segment_is_encoded_well = is_encoded_well(segment);
            let decoded_segment = &decoded[begin..];
            let is_hidden = decoded_segment.starts_with(b".") && (begin > 0 || decoded_segment != WELL_KNOWN);
            if !segment_is_encoded_well
                || is_hidden
                || decoded_segment.iter().any(|byte| matches!(byte, 0 | b'/' | b'\\'))
            {
                return None;
            }
        }
        Some(Self { path: OsString::from_vec(decoded).into(), is_folder: path.ends_with('/') })
    }

    /// Whether the last segment has no file extension.
    pub(super) fn has_no_extension(&self) -> bool {
        self.is_folder || self.path.extension().is_none()
    }
}

/// Whether two hexadecimal digits follow each `%`.
fn is_encoded_well(segment: &str) -> bool {
    let mut parts = segment.as_bytes().split(|byte| *byte == b'%');
    parts.next();
    parts.all(|part| part.len() >= 2 && part[..2].iter().all(u8::is_ascii_hexdigit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_once() {
        for (path, expected, is_folder) in [
            ("/", "", true),
            ("/a", "a", false),
            ("/a/", "a", true),
            ("/a%20b/%c3%a9.html", "a b/é.html", false),
            ("/%61", "a", false),
            ("/a%2561", "a%61", false),
            ("//a///b//", "a/b", true),
            ("/a..b/c.", "a..b/c.", false),
            ("/.well-known/security.txt", ".well-known/security.txt", false),
            ("/%2ewell-known/x", ".well-known/x", false),
            ("/a;b/c,d:e~", "a;b/c,d:e~", false),
        ] {
            let expected = Named { path: expected.into(), is_folder };
            assert_eq!(Named::parse(path), Some(expected), "{path}");
        }
    }

    #[test]
    fn some_paths_name_no_file() {
        for path in [
            "",
            "*",
            "a",
            "/.",
            "/..",
            "/../a",
            "/a/../b",
            "/a/..",
            "/%2e%2e/a",
            "/.%2E/a",
            "/..;/a",
            "/..%3b/a",
            "/..%00/a",
            "/a%00",
            "/a%00.html",
            "/a%2fb",
            "/a%2Fb",
            "/%2fetc",
            "/a\\b",
            "/a%5cb",
            "/..\\a",
            "/..%5ca",
            "/.git/config",
            "/%2egit/config",
            "/a/.env",
            "/a/.well-known/x",
            "/.well-known/.x",
            "/.well-known2/x",
            "/.Well-Known/x",
            "/a%",
            "/a%2",
            "/a%zz",
            "/%u002e%u002e/a",
        ] {
            assert_eq!(Named::parse(path), None, "{path}");
        }
    }
}
