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

    pub(super) fn of<B>(request: &'a Request<B>) -> Self {
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
    pub(super) fn ask_for_upgrade(&self, protocol: &str) -> bool {
        let is_asked = |headers: &HeaderMap| {
            let mut asked = headers.get_all(UPGRADE).iter().flat_map(tokens);
            has_token(headers, &CONNECTION, "upgrade") && asked.any(|asked| is_of(asked, protocol.as_bytes()))
        };
        self.version >= Version::HTTP_11 && self.headers.is_some_and(is_asked)
    }
}

fn is_of(asked: &[u8], protocol: &[u8]) -> bool {
    let name = asked.split(|byte| *byte == b'/').next().unwrap_or_default();
    [asked, name].iter().any(|asked| asked.eq_ignore_ascii_case(protocol))
}

/// Whether a header value matches, or one of its elements, with or without parameters.
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
