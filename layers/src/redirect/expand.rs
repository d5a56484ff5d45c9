//! Expands the placeholders of a target.

use http::Request;
use percent_encoding::{AsciiSet, utf8_percent_encode};

use super::{
    Placeholder, RedirectTarget,
    encode::{KEPT, NOT_IN_NESTED_URL, NOT_IN_PATH, NOT_IN_QUERY, NOT_IN_VALUE},
    target::Piece,
    values::{Sources, Values},
};

/// Returns the URL of a target for a request; `None` if the request has no host, or would leave the path of the target.
pub(super) fn expand(target: &RedirectTarget, values: &Values<'_>) -> Option<String> {
    let mut url = String::new();
    fill(&mut url, target.origin.as_deref().unwrap_or_default(), values, |_| NOT_IN_PATH)?;
    let origin = url.len();
    fill(&mut url, &target.path, values, |_| NOT_IN_PATH)?;
    if target.origin.is_none() {
        // Two slashes would start a host (RFC 3986, 4.2).
        let slashes = url.bytes().take_while(|byte| *byte == b'/').count();
        url.drain(..slashes.saturating_sub(1));
    }
    if is_confined(&target.path) && url[origin..].split('/').any(is_dots) {
        return None;
    }
    let path = url.len();
    match &target.query {
        Some(pieces) => fill(&mut url, pieces, values, encoded_in_query)?,
        None if target.keeps_query => push(&mut url, values.query, NOT_IN_QUERY),
        None => {}
    }
    if url.len() > path {
        url.insert(path, '?');
    }
    if let Some(pieces) = &target.fragment {
        url.push('#');
        fill(&mut url, pieces, values, |_| NOT_IN_QUERY)?;
    }
    Some(url)
}

/// Returns the path of a target, filled with values from `path` as they are there; `None` if `path` does not match
/// the regex of `sources`, `Some(None)` if the request has no host.
pub(crate) fn rewritten_path<B>(
    target: &RedirectTarget,
    sources: &Sources,
    path: &str,
    request: &Request<B>,
) -> Option<Option<String>> {
    let values = Values::matching(path, request, sources)?;
    let mut rewritten = String::new();
    Some(fill(&mut rewritten, &target.path, &values, |_| KEPT).map(|()| rewritten))
}

/// Returns the query of a target, as [`rewritten_path`] does. `None` also means that the target has none.
pub(crate) fn rewritten_query<B>(
    target: &RedirectTarget,
    sources: &Sources,
    path: &str,
    request: &Request<B>,
) -> Option<Option<String>> {
    let pieces = target.query.as_ref()?;
    let values = Values::matching(path, request, sources)?;
    let mut query = String::new();
    Some(fill(&mut query, pieces, &values, encoded_in_query).map(|()| query))
}

/// The characters to encode in a value in the query of a target.
fn encoded_in_query(placeholder: Placeholder) -> &'static AsciiSet {
    match placeholder {
        Placeholder::Query => NOT_IN_QUERY,
        Placeholder::PathAndQuery => NOT_IN_NESTED_URL,
        _ => NOT_IN_VALUE,
    }
}

/// Whether the path of a target has both text and values. A request must not leave such a path with dot segments:
/// `https://host.example/ours/{1}` must not lead to `/theirs`.
fn is_confined(path: &[Piece]) -> bool {
    path.len() > 1 && path.iter().any(|piece| piece.placeholder().is_some())
}

/// Appends pieces. `encoded` returns the characters to encode in the value of a placeholder.
fn fill(
    url: &mut String,
    pieces: &[Piece],
    values: &Values<'_>,
    encoded: impl Fn(Placeholder) -> &'static AsciiSet,
) -> Option<()> {
    for piece in pieces {
        match piece {
            Piece::Text(text) => url.push_str(text),
            Piece::Value(placeholder) => push(url, &values.get(*placeholder)?, encoded(*placeholder)),
        }
    }
    Some(())
}

fn push(url: &mut String, value: &str, encoded: &'static AsciiSet) {
    url.extend(utf8_percent_encode(value, encoded));
}

/// Whether browsers would remove the segment as a dot segment.
fn is_dots<'a>(segment: &'a str) -> bool {
    let behind_dot = |text: &'a str| {
        text.strip_prefix('.').or_else(|| text.strip_prefix("%2e")).or_else(|| text.strip_prefix("%2E"))
    };
    behind_dot(segment).is_some_and(|rest| rest.is_empty() || behind_dot(rest) == Some(""))
}
