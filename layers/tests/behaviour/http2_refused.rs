//! HTTP/2 requests that the endpoint has not processed, and when they are retried (RFC 9113, 6.8 and 8.7).

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full, combinators::BoxBody};
use pmesh_layers::{balance::Balance, buffer_body::BufferBodyLayer, pool::Http2Pool};
use tokio::io::AsyncWriteExt;
use tower::{BoxError, Layer, ServiceExt};

use super::support::{
    backend::{Backend, Connector, Exchange, backend, settle},
    http2::{DATA, GOAWAY, HEADERS, RST_STREAM, SETTINGS, frame, frames_until},
};

type Body = BoxBody<Bytes, std::convert::Infallible>;
type Upstream = Balance<Http2Pool<Connector>>;

const PREFACE: usize = 24;
const NO_ERROR: u8 = 0;
const INTERNAL_ERROR: u8 = 2;
const REFUSED_STREAM: u8 = 7;
const CANCEL: u8 = 8;

#[derive(Debug, Clone, Copy)]
enum Refusal {
    Reset(u8),
    Goaway { last_stream: u8, reason: u8 },
}

fn endpoint() -> ((&'static str, Http2Pool<Connector>), Backend) {
    let (connector, backend) = backend();
    (("backend", Http2Pool::new(connector, "http://backend".parse().unwrap())), backend)
}

fn request(method: &str, body: &'static str) -> Request<Body> {
    let body = if body.is_empty() { Empty::new().boxed() } else { Full::from(body).boxed() };
    Request::builder().method(method).uri("/").header("host", "a.test").body(body).unwrap()
}

/// The backend's end of a new connection, after its first request.
async fn accept(backend: &mut Backend) -> Exchange {
    let mut peer = backend.accept().await;
    tokio::io::AsyncReadExt::read_exact(&mut peer.0, &mut [0; PREFACE]).await.unwrap();
    peer.0.write_all(&[frame(SETTINGS, 0, 0, &[]), frame(SETTINGS, 1, 0, &[])].concat()).await.unwrap();
    // END_STREAM.
    frames_until(&mut peer.0, |frame| matches!(frame.kind, HEADERS | DATA) && frame.flags & 1 != 0).await;
    peer
}

async fn refuse(peer: &mut Exchange, refusal: Refusal) {
    let bytes = match refusal {
        Refusal::Reset(reason) => frame(RST_STREAM, 0, 1, &[0, 0, 0, reason]),
        Refusal::Goaway { last_stream, reason } => frame(GOAWAY, 0, 0, &[0, 0, 0, last_stream, 0, 0, 0, reason]),
    };
    peer.0.write_all(&bytes).await.unwrap();
}

async fn ok(peer: &mut Exchange) {
    // `:status: 200` only.
    peer.0.write_all(&frame(HEADERS, 5, 1, &[0x88])).await.unwrap();
}

fn send(
    upstream: &Upstream,
    request: Request<Body>,
) -> tokio::task::JoinHandle<Result<Response<impl Send + use<>>, BoxError>> {
    tokio::spawn(upstream.clone().oneshot(request))
}

#[tokio::test(start_paused = true)]
async fn unprocessed_requests_without_a_body_are_retried_whatever_their_method() {
    for (refusal, method, body, retried) in [
        (Refusal::Reset(REFUSED_STREAM), "POST", "", true),
        (Refusal::Reset(REFUSED_STREAM), "GET", "", true),
        (Refusal::Goaway { last_stream: 0, reason: NO_ERROR }, "POST", "", true),
        (Refusal::Goaway { last_stream: 0, reason: INTERNAL_ERROR }, "POST", "", true),
        // The body has been read, and cannot be sent again.
        (Refusal::Reset(REFUSED_STREAM), "POST", "body", false),
        (Refusal::Goaway { last_stream: 0, reason: NO_ERROR }, "PUT", "body", false),
        // The request may have had an effect.
        (Refusal::Reset(INTERNAL_ERROR), "POST", "", false),
        (Refusal::Reset(CANCEL), "POST", "", false),
        (Refusal::Reset(INTERNAL_ERROR), "DELETE", "", true),
    ] {
        let ((one, mut first), (two, mut second)) = (endpoint(), endpoint());
        let upstream = Balance::new([one, two]);
        let answer = send(&upstream, request(method, body));
        let mut peer = accept(&mut first).await;
        refuse(&mut peer, refusal).await;
        settle().await;
        assert_eq!(second.has_waiting(), retried, "{refusal:?} {method} {body}");
        if retried {
            ok(&mut accept(&mut second).await).await;
        }
        assert_eq!(answer.await.unwrap().is_ok(), retried, "{refusal:?} {method} {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_buffered_body_is_sent_again_under_the_same_conditions() {
    for (refusal, method, retried) in [
        (Refusal::Reset(REFUSED_STREAM), "POST", true),
        (Refusal::Goaway { last_stream: 0, reason: NO_ERROR }, "POST", true),
        (Refusal::Reset(INTERNAL_ERROR), "POST", false),
        (Refusal::Reset(INTERNAL_ERROR), "PUT", true),
    ] {
        for (length, is_buffered) in [("4", true), ("3", false)] {
            let ((one, mut first), (two, mut second)) = (endpoint(), endpoint());
            let upstream = BufferBodyLayer::new(length.parse().unwrap()).layer(Balance::new([one, two]));
            let answer = tokio::spawn(upstream.oneshot(request(method, "body")));
            refuse(&mut accept(&mut first).await, refusal).await;
            settle().await;
            assert_eq!(second.has_waiting(), retried && is_buffered, "{refusal:?} {method} {length}");
            if retried && is_buffered {
                ok(&mut accept(&mut second).await).await;
            }
            assert_eq!(answer.await.unwrap().is_ok(), retried && is_buffered, "{refusal:?} {method} {length}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_being_processed_continues_after_goaway_and_is_not_retried() {
    let ((one, mut first), (two, second)) = (endpoint(), endpoint());
    let answer = send(&Balance::new([one, two]), request("POST", ""));
    let mut peer = accept(&mut first).await;
    refuse(&mut peer, Refusal::Goaway { last_stream: 1, reason: NO_ERROR }).await;
    settle().await;
    drop(peer);
    settle().await;
    assert!(!second.has_waiting());
    assert!(answer.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_single_endpoint_gets_the_retry_over_a_new_connection() {
    let (one, mut backend) = endpoint();
    let answer = send(&Balance::new([one]), request("POST", ""));
    let mut old = accept(&mut backend).await;
    refuse(&mut old, Refusal::Goaway { last_stream: 0, reason: NO_ERROR }).await;
    ok(&mut accept(&mut backend).await).await;
    assert!(answer.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_shuts_down_gracefully_keeps_its_turns() {
    for (reason, keeps) in [(NO_ERROR, true), (INTERNAL_ERROR, false)] {
        let ((one, mut first), (two, mut second)) = (endpoint(), endpoint());
        let upstream = Balance::new([one, two]);
        let answer = send(&upstream, request("GET", ""));
        let mut peer = accept(&mut first).await;
        refuse(&mut peer, Refusal::Goaway { last_stream: 0, reason }).await;
        let mut other = accept(&mut second).await;
        ok(&mut other).await;
        assert!(answer.await.unwrap().is_ok());
        let _both = [send(&upstream, request("GET", "")), send(&upstream, request("GET", ""))];
        settle().await;
        assert_eq!(first.has_waiting(), keeps, "{reason}");
    }
}
