use http::{
    HeaderMap, Response, StatusCode, Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
};

use crate::framing::is_token;

/// The error of a response that parsers could interpret differently, for example by disagreeing on where it ends.
///
/// hyper itself rejects HTTP/1.1 responses with a length that is not a number, or with lengths that differ. The pools
/// reject the remaining ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidResponse {
    /// A transfer coding other than `chunked` alone, which would have to be decoded (RFC 9112, 6.1).
    #[error("the response has a transfer coding other than chunked")]
    TransferCoding,
    /// More than one `Content-Length`, one that is not a number, or one with `Transfer-Encoding` (RFC 9112, 6.3).
    #[error("the response gives the length of its body twice, or not as a number")]
    Length,
    /// A header name that HTTP/1.1 cannot express (RFC 9110, 5.6.2).
    #[error("the response has a header whose name is not a token")]
    Name,
}

/// Gives a response the same form whatever version it arrived in: HTTP/1.1, and a 204 without `Content-Length`.
pub(super) fn normalize<B>(response: &mut Response<B>) {
    *response.version_mut() = Version::HTTP_11;
    // HTTP/2 clients would wait for a body (RFC 9110, 8.6).
    if response.status() == StatusCode::NO_CONTENT {
        response.headers_mut().remove(CONTENT_LENGTH);
    }
}

/// Like [`check`], but also rejects header names that only HTTP/2 can express.
pub(super) fn check_http2(headers: &HeaderMap) -> Result<(), InvalidResponse> {
    if !headers.keys().all(is_token) {
        return Err(InvalidResponse::Name);
    }
    check(headers)
}

pub(super) fn check(headers: &HeaderMap) -> Result<(), InvalidResponse> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next();
    let is_number = |length: &[u8]| !length.is_empty() && length.iter().all(u8::is_ascii_digit);
    if lengths.next().is_some() || length.is_some_and(|length| !is_number(length.as_bytes())) {
        return Err(InvalidResponse::Length);
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(_), _) if length.is_some() => Err(InvalidResponse::Length),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(InvalidResponse::TransferCoding),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_length_is_removed_only_from_a_204() {
        for (status, kept) in [(204, false), (304, true), (200, true)] {
            let mut response = Response::builder().status(status).header(CONTENT_LENGTH, "3").body(()).unwrap();
            normalize(&mut response);
            assert_eq!(response.headers().contains_key(CONTENT_LENGTH), kept, "{status}");
        }
    }

    #[test]
    fn responses_with_an_ambiguous_length_are_rejected() {
        for (fields, expected) in [
            (&[][..], Ok(())),
            (&[("content-length", "3")], Ok(())),
            (&[("transfer-encoding", "Chunked")], Ok(())),
            (&[("content-length", "3"), ("content-length", "3")], Err(InvalidResponse::Length)),
            (&[("content-length", "3, 3")], Err(InvalidResponse::Length)),
            (&[("content-length", "+3")], Err(InvalidResponse::Length)),
            (&[("content-length", "")], Err(InvalidResponse::Length)),
            (&[("content-length", "3"), ("transfer-encoding", "chunked")], Err(InvalidResponse::Length)),
            (&[("transfer-encoding", "gzip, chunked")], Err(InvalidResponse::TransferCoding)),
            (&[("transfer-encoding", "chunked, gzip")], Err(InvalidResponse::TransferCoding)),
            (&[("transfer-encoding", "identity")], Err(InvalidResponse::TransferCoding)),
            (
                &[("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
                Err(InvalidResponse::TransferCoding),
            ),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(*name, value.parse().unwrap());
            }
            assert_eq!(check(&headers), expected, "{fields:?}");
        }
    }
}
