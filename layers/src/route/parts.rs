use http::{
    Extensions, HeaderMap, Method, Request, Uri, Version,
    header::{CONNECTION, UPGRADE},
};
use percent_encoding::percent_decode_str;

use super::ValuePattern;
use crate::hop_by_hop::{has_token, tokens};

/// The parts of a request that conditions check.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts<'a> {
    pub(super) method: &'a Method,
    pub(super) version: Version,
    uri: Option<&'a Uri>,
    pub(super) headers: Option<&'a HeaderMap>,
    pub(super) extensions: Option<&'a Extensions>,
}

impl<'a> Parts<'a> {
    /// A GET with only a path.
    pub(super) const BARE: Self =
        Self { method: &Method::GET, version: Version::HTTP_11, uri: None, headers: None, extensions: None };

    pub(super) fn from_request<B>(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            version: request.version(),
            uri: Some(request.uri()),
            headers: Some(request.headers()),
            extensions: Some(request.extensions()),
        }
    }

    pub(super) fn query(&self) -> Option<&'a str> {
        self.uri?.query()
    }

    /// Whether the client requests an upgrade to `protocol`, in any version of it (RFC 9110, 7.8).
    pub(super) fn request_upgrade(&self, protocol: &str) -> bool {
        let is_requested = |headers: &HeaderMap| {
            let mut offered = headers.get_all(UPGRADE).iter().flat_map(tokens);
            has_token(headers, &CONNECTION, "upgrade")
                && offered.any(|offered| is_protocol(offered, protocol.as_bytes()))
        };
        self.version >= Version::HTTP_11 && self.headers.is_some_and(is_requested)
    }
}

fn is_protocol(offered: &[u8], protocol: &[u8]) -> bool {
    let name = offered.split(|byte| *byte == b'/').next().unwrap_or_default();
    [offered, name].iter().any(|offered| offered.eq_ignore_ascii_case(protocol))
}

/// Whether a header value or one of its elements matches, with or without parameters.
pub(super) fn has_value(value: &[u8], pattern: &ValuePattern) -> bool {
    let matches = |text: &[u8]| pattern.matches_bytes(text.iter().copied());
    let without_parameters = |element| split(element, b';').next().unwrap_or_default().trim_ascii();
    let mut elements = split(value, b',').map(<[u8]>::trim_ascii);
    matches(value) || elements.any(|element| matches(element) || matches(without_parameters(element)))
}

/// Splits at separators that are not in quotes (RFC 9110, 5.6.4).
fn split(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |byte| {
        quoted ^= *byte == b'"' && !escaped;
        escaped = quoted && !escaped && *byte == b'\\';
        *byte == separator && !quoted
    })
}

/// Whether a form-encoded query has a matching parameter.
pub(super) fn has_parameter(query: Option<&str>, name: &str, pattern: &ValuePattern) -> bool {
    let mut parameters = query.into_iter().flat_map(|query| query.split('&')).filter(|parameter| !parameter.is_empty());
    parameters.any(|parameter| {
        let (other, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        form_decoded(other).eq(name.bytes()) && pattern.matches_bytes(form_decoded(value))
    })
}

fn form_decoded(text: &str) -> impl Iterator<Item = u8> + Clone {
    text.split('+').enumerate().flat_map(|(index, piece)| {
        let space = (index > 0).then_some(b' ');
        space.into_iter().chain(percent_decode_str(piece))
    })
}
