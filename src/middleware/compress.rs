//! `compress`: responses in zstd, br or gzip, whichever the client likes best.

use ::http::{
    Extensions, HeaderMap, HeaderValue, Response, StatusCode, Version,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG},
};
use pmesh_layers::body::ResponseBody;
use tower::{Layer, ServiceBuilder};
use tower_http::compression::{CompressionBody, CompressionLayer, Predicate, predicate::SizeAbove};

use super::Inner;

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
}

fn remember(mut response: Response<ResponseBody>) -> Response<ResponseBody> {
    let before = Before { status: response.status(), is_encoded: response.headers().contains_key(CONTENT_ENCODING) };
    response.extensions_mut().insert(before);
    response
}

fn finish(response: Response<CompressionBody<ResponseBody>>) -> Response<ResponseBody> {
    let mut response = response.map(ResponseBody::new);
    let before = response.extensions_mut().remove::<Before>();
    // `CompressionLayer` makes it 406 for a client that accepts no coding here, not even `identity`. But the backend has
    // already done the work, even changed protocols (101), and may know a coding that the client accepts.
    if let Some(Before { status, .. }) = before {
        *response.status_mut() = status;
    }
    let encoded_here =
        before.is_some_and(|before| !before.is_encoded) && response.headers().contains_key(CONTENT_ENCODING);
    // A strong `ETag` promises the same bytes (RFC 9110, 8.8.1).
    if let Some(etag) = response.headers_mut().get_mut(ETAG).filter(|_| encoded_here)
        && !etag.as_bytes().starts_with(b"W/")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat())
    {
        *etag = weak;
    }
    response
}

/// Whether compression makes the body smaller, and nothing forbids it. Never true for event streams and gRPC, which have to
/// arrive at once.
fn is_compressible(status: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

    let is_partial = status == StatusCode::PARTIAL_CONTENT;
    // RFC 9111, 5.2.2.6.
    let forbids = |value: &HeaderValue| {
        let mut directives = value.as_bytes().split(|byte| *byte == b',');
        directives.any(|directive| directive.trim_ascii().eq_ignore_ascii_case(b"no-transform"))
    };
    // A digest is one of the bytes that the backend sent (RFC 9530).
    let has_digest = DIGESTS.iter().any(|name| headers.contains_key(*name));
    !is_partial
        && !has_digest
        && headers.get(CONTENT_TYPE).is_some_and(is_text)
        && !headers.get_all(CACHE_CONTROL).iter().any(forbids)
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
