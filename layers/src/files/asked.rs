use http::{
    HeaderMap, Method, Request, Uri,
    header::{
        ACCEPT, ACCEPT_ENCODING, HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE,
        RANGE,
    },
};

use super::{folder, path::Named};

/// The parts of a request that matter for a file. Can move to another thread.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) named: Named,
    pub(super) has_body: bool,
    /// The headers that select a variant or a range, or set conditions.
    pub(super) headers: HeaderMap,
    /// The client's URI if a folder at this path must be redirected.
    pub(super) without_slash: Option<Uri>,
    /// Whether it can be for a page of a single-page application.
    pub(super) is_for_page: bool,
}

impl Asked {
    /// Returns `None` if no file can answer the request.
    pub(super) fn new<B>(request: &Request<B>) -> Option<Self> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return None;
        }
        let named = Named::parse(request.uri().path())?;
        let mut headers = HeaderMap::new();
        let mut copy = |name: HeaderName| {
            for value in request.headers().get_all(&name) {
                headers.append(&name, value.clone());
            }
        };
        copy(ACCEPT_ENCODING);
        copy(IF_MATCH);
        copy(IF_NONE_MATCH);
        copy(IF_MODIFIED_SINCE);
        copy(IF_UNMODIFIED_SINCE);
        // Unknown units must be ignored (RFC 9110, 14.2).
        if request.headers().get(RANGE).is_some_and(|range| range.as_bytes().starts_with(b"bytes=")) {
            copy(RANGE);
            copy(IF_RANGE);
        }
        Some(Self {
            is_for_page: named.has_no_extension() || accepts_html(request.headers()),
            named,
            has_body: request.method() == Method::GET,
            headers,
            without_slash: folder::without_slash(request),
        })
    }
}

fn accepts_html(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().any(|value| {
        value.as_bytes().windows(b"text/html".len()).any(|window| window.eq_ignore_ascii_case(b"text/html"))
    })
}
