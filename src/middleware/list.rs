//! Headers that are lists, such as `Vary` (RFC 9110, 5.6.1).

use ::http::{HeaderMap, HeaderName};

/// The elements of a header, in all its lines.
pub(super) fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(name).iter();
    lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// Whether a header has this element, in any case.
pub(super) fn has(headers: &HeaderMap, name: &HeaderName, element: &str) -> bool {
    elements(headers, name).any(|other| other.eq_ignore_ascii_case(element.as_bytes()))
}
