use std::{io, sync::Arc};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED,
        RANGE, VARY,
    },
};
use http_body_util::Empty;
use tower_http::services::{ServeDir, fs::DefaultServeDirFallback};

use super::{
    asked::Asked,
    body::{CHUNK, FileBody, read_all},
    open::Access,
    variants::Variants,
};
use crate::body::ResponseBody;

/// Creates the response from a file or a precompressed variant of it.
pub(super) fn serve(variants: &Variants, asked: &Asked, access: Access) -> io::Result<Response<ResponseBody>> {
    let mut response = head(variants, asked.headers.clone())?;
    if asked.headers.contains_key(IF_RANGE) && !is_in_range_of(&asked.headers, response.headers()) {
        let mut headers = asked.headers.clone();
        headers.remove(RANGE);
        response = head(variants, headers)?;
    } else if let Some(headers) = with_valid_range(&asked.headers, &response) {
        response = head(variants, headers)?;
    }
    complete_headers(&mut response, &asked.headers);
    let part = if asked.has_body { part(&response) } else { None };
    let Some((position, length)) = part else { return Ok(response) };
    let found = variants.selected();
    let body = match usize::try_from(length) {
        Ok(length) if length <= CHUNK => read_all(&found.file, position, length, access)?.into(),
        _ => ResponseBody::new(FileBody::new(Arc::clone(&found), position, length)),
    };
    Ok(response.map(|_| body))
}

/// Returns the response to a HEAD request.
fn head(variants: &Variants, headers: HeaderMap) -> io::Result<Response<ResponseBody>> {
    let mut service: ServeDir<DefaultServeDirFallback, Variants> = ServeDir::with_backend("", variants.clone())
        .append_index_html_on_directories(false)
        .ignore_multi_range_requests(true)
        .precompressed_zstd()
        .precompressed_br()
        .precompressed_gzip();
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = Method::HEAD;
    *request.uri_mut() = format!("/{}", variants.alias()).parse().map_err(io::Error::other)?;
    *request.headers_mut() = headers;
    // Never pending, because its file system never is.
    let response =
        service.try_call(request).now_or_never().unwrap_or_else(|| Err(io::ErrorKind::Unsupported.into()))?;
    Ok(response.map(|_| ResponseBody::empty()))
}

/// The request to answer instead, if `response` is not what its range leads to (RFC 9110, 14.1.2): a suffix can be longer than
/// the file, and a last position can be any number. No part of an empty file can be named, so all of it is sent.
fn with_valid_range(request: &HeaderMap, response: &Response<ResponseBody>) -> Option<HeaderMap> {
    let length = position(response.headers().get(CONTENT_RANGE)?.to_str().ok()?.rsplit('/').next()?)?;
    let mut headers = request.clone();
    if length == 0 {
        headers.remove(RANGE);
        return Some(headers);
    }
    if response.status() != StatusCode::RANGE_NOT_SATISFIABLE {
        return None;
    }
    let end = length - 1;
    let (first, last) = match request.get(RANGE)?.to_str().ok()?.strip_prefix("bytes=")?.split_once('-')? {
        ("", suffix) => (length.saturating_sub(position(suffix)?), end),
        (first, "") => (position(first)?, end),
        (first, last) => (position(first)?, position(last)?.min(end)),
    };
    if first > last {
        return None;
    }
    headers.insert(RANGE, HeaderValue::try_from(format!("bytes={first}-{last}")).ok()?);
    Some(headers)
}

/// A number of any length. If it is too high, it is beyond the end of every file.
fn position(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Whether the part that the client has is from the current version of the file (RFC 9110, 13.1.5).
fn is_in_range_of(request: &HeaderMap, response: &HeaderMap) -> bool {
    let Some(if_range) = request.get(IF_RANGE) else { return true };
    let validator =
        if if_range.as_bytes().starts_with(b"\"") { response.get(ETAG) } else { response.get(LAST_MODIFIED) };
    validator == Some(if_range)
}

fn complete_headers(response: &mut Response<ResponseBody>, request: &HeaderMap) {
    let is_not_modified = response.status() == StatusCode::NOT_MODIFIED;
    let headers = response.headers_mut();
    if let Some(content_type) = headers.get_mut(CONTENT_TYPE) {
        add_charset(content_type);
    }
    if is_not_modified {
        // The same as in the response that the client has (RFC 9110, 15.4.5): weak if another layer compressed it.
        headers.insert(VARY, ACCEPT_ENCODING.into());
        if let Some(weak) = headers.get(ETAG).and_then(|etag| weak(etag, request)) {
            headers.insert(ETAG, weak);
        }
    }
}

/// The weak form of `etag`, if the request has it.
fn weak(etag: &HeaderValue, request: &HeaderMap) -> Option<HeaderValue> {
    let weak = [b"W/", etag.as_bytes()].concat();
    let is_in = |value: &HeaderValue| value.as_bytes().windows(weak.len()).any(|window| window == weak);
    request.get_all(IF_NONE_MATCH).iter().any(is_in).then(|| HeaderValue::from_bytes(&weak).ok()).flatten()
}

/// Text is in UTF-8.
fn add_charset(content_type: &mut HeaderValue) {
    let with_charset = match content_type.as_bytes() {
        b"text/html" => HeaderValue::from_static("text/html; charset=utf-8"),
        b"text/css" => HeaderValue::from_static("text/css; charset=utf-8"),
        b"text/javascript" | b"application/javascript" => HeaderValue::from_static("text/javascript; charset=utf-8"),
        other if other.starts_with(b"text/") => {
            let Ok(value) = HeaderValue::from_bytes(&[other, b"; charset=utf-8"].concat()) else { return };
            value
        }
        _ => return,
    };
    *content_type = with_charset;
}

/// The position and length of the body in the file.
fn part(response: &Response<ResponseBody>) -> Option<(u64, u64)> {
    let number = |text: &str| text.parse::<u64>().ok();
    let length = number(response.headers().get(CONTENT_LENGTH)?.to_str().ok()?)?;
    match response.status() {
        StatusCode::OK => Some((0, length)),
        StatusCode::PARTIAL_CONTENT => {
            let range = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
            Some((number(range.strip_prefix("bytes ")?.split('-').next()?)?, length))
        }
        _ => None,
    }
}
