//! `compress`: compresses responses with the first of zstd, gzip and br that the client accepts.

use ::http::{
    Extensions, HeaderMap, HeaderValue, Response, StatusCode, Version,
    header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, VARY},
};
use http_body::Body;
use pmesh_layers::body::ResponseBody;
use tower::{Layer, ServiceBuilder};
use tower_http::{
    CompressionLevel,
    compression::{CompressionBody, CompressionLayer, Predicate, predicate::SizeAbove},
};

use super::{
    Inner, list,
    turns::{InTurns, Paused, Turn},
};

/// Bodies that are known to be shorter are not compressed: they fit into one packet anyway.
const SHORT: u64 = 1024;

/// Creates the layer.
pub(super) fn layer<S: Inner>() -> impl Layer<S, Service: Inner> + Clone {
    let when = SizeAbove::new(SHORT).and(is_compressible);
    // At the fastest level, zstd output for text is no longer than at the default level, but the tables to allocate and
    // clear are a tenth. For a response of 20 KB, that saves half of the work.
    let zstd = CompressionLayer::new().no_gzip().no_br().quality(CompressionLevel::Fastest).compress_when(when);
    let gzip = CompressionLayer::new().no_zstd().no_br().compress_when(when);
    // Only for clients without the other two: at its default level, br takes longer than gzip and saves no more.
    let br = CompressionLayer::new().no_zstd().no_gzip().compress_when(when);
    ServiceBuilder::new().map_response(finish).layer(br).layer(gzip).layer(zstd).map_response(remember).into_inner()
}

/// A body inside all three layers.
type Compressed = CompressionBody<CompressionBody<CompressionBody<InTurns>>>;

/// What a response was before it came here.
#[derive(Debug, Clone)]
struct Before {
    status: StatusCode,
    is_encoded: bool,
    /// Whether it has no body, but one that would be compressed belongs to it.
    stands_for_body: bool,
    turn: Turn,
}

fn remember(mut response: Response<ResponseBody>) -> Response<InTurns> {
    let turn = Turn::default();
    let before = Before {
        status: response.status(),
        is_encoded: response.headers().contains_key(CONTENT_ENCODING),
        stands_for_body: stands_for_body(&response),
        turn: turn.clone(),
    };
    response.extensions_mut().insert(before);
    response.map(|body| InTurns::new(body, turn))
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

fn finish(response: Response<Compressed>) -> Response<ResponseBody> {
    let (mut parts, body) = response.into_parts();
    // Always there: `remember` has put it in.
    let Some(Before { status, is_encoded, stands_for_body, turn }) = parts.extensions.remove() else {
        return Response::from_parts(parts, ResponseBody::new(body));
    };
    // `CompressionLayer` makes it 406 for a client that accepts no coding here, not even `identity`. But the backend has
    // already done the work, even changed protocols (101), and may know a coding that the client accepts.
    parts.status = status;
    let encoded_here = !is_encoded && parts.headers.contains_key(CONTENT_ENCODING);
    let mut response = Response::from_parts(parts, ResponseBody::new(Paused::new(body, turn)));
    // A strong `ETag` promises the same bytes (RFC 9110, 8.8.1).
    if let Some(etag) = response.headers_mut().get_mut(ETAG).filter(|_| encoded_here)
        && !etag.as_bytes().starts_with(b"W/")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", etag.as_bytes()].concat())
    {
        *etag = weak;
    }
    // `CompressionLayer` only says this with a body. But caches need it here, too (RFC 9110, 9.3.2 and 15.4.5).
    let varies = !is_encoded && stands_for_body;
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
    use std::pin::pin;

    use bytes::Bytes;
    use http_body::Body;
    use pmesh_layers::body::RequestBody;
    use tower::{BoxError, ServiceExt};

    use super::*;

    /// Otherwise, one response could hold up all other requests of a worker.
    #[tokio::test]
    async fn a_long_body_is_compressed_in_turns() {
        const LENGTH: usize = 1024 * 1024;

        let service = ServiceBuilder::new().layer(layer()).service_fn(async |_: ::http::Request<RequestBody>| {
            let mut response = Response::new(ResponseBody::from(Bytes::from(vec![b' '; LENGTH])));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
            Ok::<_, BoxError>(response)
        });
        for (accepted, coding) in [("gzip", Some("gzip")), ("br", Some("br")), ("zstd", Some("zstd")), ("", None)] {
            let request = ::http::Request::builder().header("accept-encoding", accepted);
            let response = service.clone().oneshot(request.body(RequestBody::empty()).unwrap()).await.unwrap();
            let encoding = response.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap());
            assert_eq!(encoding, coding);
            let (mut pauses, mut length) = (0, 0);
            let mut body = pin!(response.into_body());
            while let Some(frame) = std::future::poll_fn(|cx| {
                let polled = body.as_mut().poll_frame(cx);
                pauses += usize::from(polled.is_pending());
                polled
            })
            .await
            {
                length += frame.unwrap().into_data().unwrap().len();
            }
            assert!(pauses >= 10, "{accepted}: {pauses}");
            assert!(length == LENGTH || coding.is_some() && length < 10_000, "{accepted}: {length}");
        }
    }

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
