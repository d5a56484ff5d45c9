//! `compress`: responses in zstd, br or gzip, whichever the client likes best.

use ::http::{
    Extensions, HeaderMap, HeaderValue, Response, StatusCode, Version,
    header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, VARY},
};
use http_body::Body;
use pmesh_layers::body::ResponseBody;
use tower::{Layer, ServiceBuilder};
use tower_http::compression::{CompressionBody, CompressionLayer, Predicate, predicate::SizeAbove};

use super::{Inner, list};

/// Shorter bodies are left alone if their length is known: they fit into one packet anyway.
const SHORT: u64 = 1024;

/// Creates the layer.
pub(super) fn layer<S: Inner>() -> impl Layer<S, Service: Inner> + Clone {
    let compression = CompressionLayer::new().compress_when(SizeAbove::new(SHORT).and(is_compressible));
    ServiceBuilder::new().map_response(finish).layer(compression).map_response(remember).into_inner()
}

/// What a response was before it came here.
#[derive(Debug, Clone, Copy)]
struct Before {
    status: StatusCode,
    is_encoded: bool,
    /// Whether it has no body, but one that would be compressed belongs to it.
    stands_for_body: bool,
}

fn remember(mut response: Response<ResponseBody>) -> Response<ResponseBody> {
    let before = Before {
        status: response.status(),
        is_encoded: response.headers().contains_key(CONTENT_ENCODING),
        stands_for_body: stands_for_body(&response),
    };
    response.extensions_mut().insert(before);
    response
}

/// Whether this is a response to HEAD, or a 304, to which a body belongs that would be compressed.
fn stands_for_body(response: &Response<ResponseBody>) -> bool {
    let headers = response.headers();
    if response.status() == StatusCode::NOT_MODIFIED {
        // Most have no `Content-Type`.
        return headers.get(CONTENT_TYPE).is_none_or(is_text);
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    response.body().is_end_stream()
        && length.is_none_or(|length: u64| length >= SHORT)
        && is_compressible(response.status(), response.version(), headers, response.extensions())
}

fn finish(response: Response<CompressionBody<ResponseBody>>) -> Response<ResponseBody> {
    let mut response = response.map(ResponseBody::new);
    let before = response.extensions_mut().remove::<Before>();
    // `CompressionLayer` makes it 406 for a client that accepts no coding here, not even `identity`. But the backend has
    // already done the work, even changed protocols (101), and may know a coding that the client accepts.
    if let Some(Before { status, .. }) = before {
        *response.status_mut() = status;
    }
    let was_plain = before.is_some_and(|before| !before.is_encoded);
    let encoded_here = was_plain && response.headers().contains_key(CONTENT_ENCODING);
    // A strong `ETag` promises the same bytes (RFC 9110, 8.8.1).
    if let Some(etag) = response.headers_mut().get_mut(ETAG).filter(|_| encoded_here)
        && !etag.as_bytes().starts_with(b"W/")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat())
    {
        *etag = weak;
    }
    // `CompressionLayer` only says this with a body. But caches need it here, too (RFC 9110, 9.3.2 and 15.4.5).
    let varies = was_plain && before.is_some_and(|before| before.stands_for_body);
    if varies && !list::has(response.headers(), &VARY, ACCEPT_ENCODING.as_str()) {
        response.headers_mut().append(VARY, ACCEPT_ENCODING.into());
    }
    response
}

/// Whether compression makes the body smaller, and nothing forbids it. Never true for event streams and gRPC, which have to
/// arrive at once.
fn is_compressible(status: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

    let is_partial = status == StatusCode::PARTIAL_CONTENT;
    // A digest is one of the bytes that the backend sent (RFC 9530).
    let has_digest = DIGESTS.iter().any(|name| headers.contains_key(*name));
    !is_partial
        && !has_digest
        && headers.get(CONTENT_TYPE).is_some_and(is_text)
        // RFC 9111, 5.2.2.6.
        && !list::has(headers, &CACHE_CONTROL, "no-transform")
}

/// Whether a media type is text, or as compressible as text.
fn is_text(content_type: &HeaderValue) -> bool {
    let essence = content_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let essence = essence.to_ascii_lowercase();
    let Ok(essence) = str::from_utf8(&essence) else { return false };
    match essence.split_once('/') {
        Some(("text", subtype)) => subtype != "event-stream",
        // Even `application/grpc+json`.
        Some(("application", subtype)) if subtype.starts_with("grpc") => false,
        Some(("application", subtype)) => {
            const TYPES: [&str; 12] = [
                "json",
                "javascript",
                "x-javascript",
                "xml",
                "xhtml+xml",
                "wasm",
                "manifest+json",
                "x-ndjson",
                "graphql",
                "vnd.ms-fontobject",
                "x-yaml",
                "yaml",
            ];
            TYPES.contains(&subtype) || subtype.ends_with("+json") || subtype.ends_with("+xml")
        }
        Some(("image", subtype)) => matches!(subtype, "svg+xml" | "bmp" | "x-icon" | "vnd.microsoft.icon"),
        Some(("font", subtype)) => matches!(subtype, "ttf" | "otf" | "sfnt"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_is_compressed() {
        for (content_type, expected) in [
            ("text/html; charset=utf-8", true),
            ("TEXT/CSS", true),
            ("application/json", true),
            ("application/problem+json", true),
            ("image/svg+xml", true),
            ("text/event-stream", false),
            ("application/grpc", false),
            ("application/grpc+json", false),
            ("application/grpc-web+json", false),
            ("application/octet-stream", false),
            ("image/png", false),
            ("font/woff2", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_text(&HeaderValue::from_static(content_type)), expected, "{content_type}");
        }
    }
}
