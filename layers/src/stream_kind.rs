//! Recognises streams, which can be quiet for long without being stalled.

use http::{HeaderMap, header::CONTENT_TYPE};

const EVENTS: &[u8] = b"text/event-stream";
/// Also covers `application/grpc+proto` and `application/grpc-web`.
const GRPC: &[u8] = b"application/grpc";
/// The streams of Connect, which buf.build uses instead of gRPC.
const CONNECT: &[u8] = b"application/connect+";

/// Whether this is the head of an event stream or of a gRPC message.
pub(crate) fn is_stream(headers: &HeaderMap) -> bool {
    begins_with(headers, &[EVENTS, GRPC])
}

/// Whether this is the head of a gRPC message.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    begins_with(headers, &[GRPC])
}

/// Whether the client of this request may wait for a part of the response before it sends more.
pub(crate) fn is_two_way(headers: &HeaderMap) -> bool {
    begins_with(headers, &[GRPC, CONNECT])
}

fn begins_with(headers: &HeaderMap, types: &[&[u8]]) -> bool {
    headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes).is_some_and(|found| {
        types.iter().any(|wanted| found.get(..wanted.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(wanted)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn streams_are_recognised_by_their_content_type() {
        for (content_type, stream, grpc, two_way) in [
            ("text/event-stream", true, false, false),
            ("Text/Event-Stream; charset=utf-8", true, false, false),
            ("application/grpc", true, true, true),
            ("application/grpc+proto", true, true, true),
            ("application/grpc-web+proto", true, true, true),
            ("application/connect+json", false, false, true),
            ("text/event", false, false, false),
            ("application/json", false, false, false),
            ("", false, false, false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            let found = (is_stream(&headers), is_grpc(&headers), is_two_way(&headers));
            assert_eq!(found, (stream, grpc, two_way), "{content_type}");
        }
        assert!(!is_stream(&HeaderMap::new()));
    }
}
