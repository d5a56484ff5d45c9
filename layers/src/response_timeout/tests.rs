use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Request, Response, Version};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty, StreamBody};
use tokio::time::{Instant, sleep};
use tower::{BoxError, Layer, ServiceExt};

use super::{NoResponse, ResponseTimeoutLayer, TimedOut};
use crate::{
    balance::{Balance, EndpointError, Failure},
    body::RequestBody,
};

const TIMEOUT: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// A body of `count` pieces, with a pause of `every` before each.
fn slow_body(
    every: Duration,
    piece: &'static [u8],
    count: usize,
) -> impl Body<Data = Bytes, Error = Infallible> + Send + use<> {
    StreamBody::new(futures_util::stream::unfold(count, move |left| async move {
        sleep(every).await;
        (left > 0).then(|| (Ok(Frame::data(Bytes::from_static(piece))), left - 1))
    }))
}

/// Sends `body` to a service that pauses for `pause` after each piece, and returns the number of bytes at the end.
async fn read_all<B>(layer: ResponseTimeoutLayer, body: B, pause: Duration) -> Result<usize, NoResponse>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    send(layer, Request::new(body), pause).await
}

async fn send<B>(layer: ResponseTimeoutLayer, request: Request<B>, pause: Duration) -> Result<usize, NoResponse>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
{
    let reads = layer.layer(tower::service_fn(move |request: Request<RequestBody>| async move {
        let mut body = Box::pin(request.into_body());
        let mut bytes = 0;
        while let Some(frame) = body.frame().await {
            bytes += frame?.into_data().map_or(0, |data| data.len());
            if !pause.is_zero() {
                sleep(pause).await;
            }
        }
        Ok::<_, BoxError>(bytes)
    }));
    reads.oneshot(request).await
}

#[tokio::test(start_paused = true)]
async fn an_upload_can_take_any_time_while_it_makes_progress() {
    let layer = ResponseTimeoutLayer::new(TIMEOUT);
    assert_eq!(read_all(layer, slow_body(TIMEOUT / 2, b"x", 10), Duration::ZERO).await.unwrap(), 10);
}

#[tokio::test(start_paused = true)]
async fn the_error_names_the_side_that_holds_up_the_request() {
    let layer = ResponseTimeoutLayer::new(TIMEOUT);
    let error = read_all(layer, slow_body(TIMEOUT * 2, b"x", 10), Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, NoResponse::TimedOut(TimedOut::Client)));

    let hangs = ResponseTimeoutLayer::new(TIMEOUT).layer(tower::service_fn(async |request: Request<_>| {
        let _held: Request<RequestBody> = request;
        std::future::pending::<Result<(), BoxError>>().await
    }));
    let error = hangs.oneshot(Request::new(slow_body(TIMEOUT * 2, b"x", 10))).await.unwrap_err();
    assert!(matches!(error, NoResponse::TimedOut(TimedOut::Backend)));
}

#[tokio::test(start_paused = true)]
async fn a_body_below_the_minimum_rate_times_out() {
    for (bytes, passes) in [(0, true), (1, true), (4, false)] {
        let layer = ResponseTimeoutLayer::new(TIMEOUT * 10).min_rate(bytes, TIMEOUT);
        // Two bytes a second, in small pieces and in large ones.
        let small = read_all(layer, slow_body(SECOND / 2, b"x", 600), Duration::ZERO).await;
        let large = read_all(layer, slow_body(TIMEOUT / 4, &[b'x'; 30], 20), Duration::ZERO).await;
        for result in [small, large] {
            match result {
                Ok(length) => assert!(passes && length == 600, "{bytes}"),
                Err(error) => assert!(!passes && matches!(error, NoResponse::TimedOut(TimedOut::Client)), "{bytes}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fast_start_does_not_make_up_for_a_slow_rest() {
    let layer = ResponseTimeoutLayer::new(TIMEOUT).min_rate(100, TIMEOUT);
    let begin = futures_util::stream::iter([Ok(Frame::data(Bytes::from(vec![b'x'; 1 << 20])))]);
    let rest = futures_util::stream::unfold((), |()| async move {
        sleep(SECOND).await;
        Some((Ok(Frame::data(Bytes::from_static(b"x"))), ()))
    });
    let body = StreamBody::new(begin.chain(rest));
    let error = read_all(layer, body, Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, NoResponse::TimedOut(TimedOut::Client)));
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_slow_backend_does_not_count_against_the_client() {
    // The client sends two hundred bytes a second, and the backend reads a piece every half minute.
    let layer = ResponseTimeoutLayer::new(TIMEOUT).min_rate(100, TIMEOUT);
    let body = slow_body(SECOND, &[b'x'; 200], 150);
    assert_eq!(read_all(layer, body, TIMEOUT / 2).await.unwrap(), 30_000);
}

#[tokio::test(start_paused = true)]
async fn the_rate_of_a_body_that_has_ended_is_not_checked() {
    // The backend pauses once, so that a window of waiting ends between two checks. By the second one, the body has ended.
    let layer = ResponseTimeoutLayer::new(TIMEOUT * 10).min_rate(100, TIMEOUT);
    let answers_late = layer.layer(tower::service_fn(async |request: Request<RequestBody>| {
        let mut body = Box::pin(request.into_body());
        body.frame().await;
        sleep(TIMEOUT / 6).await;
        while body.frame().await.is_some() {}
        sleep(TIMEOUT * 5).await;
        Ok::<_, BoxError>(())
    }));
    let pieces = futures_util::stream::iter([TIMEOUT / 2, TIMEOUT * 8 / 15]).then(async |pause| {
        sleep(pause).await;
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(b"x")))
    });
    answers_late.oneshot(Request::new(StreamBody::new(pieces))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn http2_can_be_exempt_from_the_minimum_rate() {
    for (layer, passes) in [(ResponseTimeoutLayer::except_http2 as fn(_) -> _, true), (|layer| layer, false)] {
        let layer = layer(ResponseTimeoutLayer::new(TIMEOUT).min_rate(100, TIMEOUT));
        let mut request = Request::new(slow_body(SECOND, b"x", 300));
        let http1 = send(layer, Request::new(slow_body(SECOND, b"x", 300)), Duration::ZERO).await;
        *request.version_mut() = Version::HTTP_2;
        let http2 = send(layer, request, Duration::ZERO).await;
        assert_eq!((http1.is_ok(), http2.is_ok()), (false, passes));
    }
}

#[tokio::test(start_paused = true)]
async fn a_grpc_client_can_pause() {
    let layer = ResponseTimeoutLayer::new(TIMEOUT).min_rate(100, TIMEOUT).stream_timeout(TIMEOUT * 10);
    let request = |version, content_type, every| {
        let request = Request::post("/").version(version).header("content-type", content_type);
        request.body(slow_body(every, b"x", 3)).unwrap()
    };
    for (version, content_type, every, passes) in [
        (Version::HTTP_2, "application/grpc", TIMEOUT * 9, true),
        (Version::HTTP_2, "application/grpc+proto", TIMEOUT * 9, true),
        (Version::HTTP_2, "application/grpc", TIMEOUT * 11, false),
        (Version::HTTP_2, "application/json", TIMEOUT * 2, false),
        (Version::HTTP_11, "application/grpc", TIMEOUT * 2, false),
    ] {
        let (start, sent) = (Instant::now(), send(layer, request(version, content_type, every), Duration::ZERO).await);
        match sent {
            Ok(length) => assert!(passes && length == 3, "{version:?} {content_type}"),
            Err(error) => {
                assert!(!passes && matches!(error, NoResponse::TimedOut(TimedOut::Client)), "{error:?}");
                let expected = if content_type == "application/grpc" && version == Version::HTTP_2 { 10 } else { 1 };
                assert_eq!(start.elapsed(), TIMEOUT * expected);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_backend_must_respond_in_time_once_a_grpc_request_has_ended() {
    let hangs = ResponseTimeoutLayer::new(TIMEOUT).layer(tower::service_fn(async |request: Request<RequestBody>| {
        let mut body = Box::pin(request.into_body());
        while body.frame().await.is_some() {}
        std::future::pending::<Result<(), BoxError>>().await
    }));
    let pause = TIMEOUT * 5 / 2;
    let request = Request::post("/").version(Version::HTTP_2).header("content-type", "application/grpc");
    let start = Instant::now();
    let error = hangs.oneshot(request.body(slow_body(pause, b"x", 1)).unwrap()).await.unwrap_err();
    assert!(matches!(error, NoResponse::TimedOut(TimedOut::Backend)));
    // One pause before the piece, and one before the end.
    assert_eq!(start.elapsed(), pause * 2 + TIMEOUT);
}

/// The error of an endpoint that has read the request.
#[derive(Debug, thiserror::Error)]
#[error("broken off")]
struct BrokenOff;

#[tokio::test(start_paused = true)]
async fn attempts_at_all_endpoints_share_one_timeout() {
    let endpoint = |breaks_off: Duration| {
        let service = move |_: Request<RequestBody>| async move {
            sleep(breaks_off).await;
            Err::<Response<Empty<Bytes>>, _>(BrokenOff)
        };
        ResponseTimeoutLayer::new(TIMEOUT).layer(tower::service_fn(service))
    };
    let balance = Balance::new([("breaks off", endpoint(TIMEOUT * 2 / 3)), ("slow", endpoint(TIMEOUT * 2))]);
    // The second endpoint had too little time, which is not its fault. So only it gets the next request.
    for attempts in [2, 1] {
        let start = Instant::now();
        let error = balance.clone().oneshot(Request::new(Empty::<Bytes>::new())).await.unwrap_err();
        assert_eq!(start.elapsed(), TIMEOUT);
        let failed: &EndpointError = error.downcast_ref().unwrap();
        assert_eq!((failed.endpoint(), failed.attempts()), ("slow", attempts));
        assert_eq!(failed.cause().downcast_ref(), Some(&TimedOut::Backend));
    }
}

/// The error of an endpoint that may not have read the request.
#[derive(Debug, thiserror::Error)]
#[error("refused")]
struct Refused {
    is_unsent: bool,
}

#[tokio::test(start_paused = true)]
async fn the_next_endpoint_has_only_the_time_left_by_one_that_refuses() {
    let endpoint = |takes: Duration, refuses: bool| {
        let service = move |_: Request<RequestBody>| async move {
            sleep(takes).await;
            Err::<Response<Empty<Bytes>>, _>(Refused { is_unsent: refuses })
        };
        ResponseTimeoutLayer::new(TIMEOUT).layer(tower::service_fn(service))
    };
    let endpoints = [
        ("breaks off", endpoint(TIMEOUT / 4, false)),
        ("refuses", endpoint(TIMEOUT / 4, true)),
        ("slow", endpoint(TIMEOUT * 2, true)),
    ];
    let start = Instant::now();
    let balance = Balance::new(endpoints).classify(|error: &BoxError| match error.downcast_ref() {
        Some(Refused { is_unsent: true }) => Failure::new().unsent(),
        _ => Failure::new(),
    });
    let error = balance.oneshot(Request::new(Empty::<Bytes>::new())).await.unwrap_err();
    let failed: &EndpointError = error.downcast_ref().unwrap();
    assert_eq!((start.elapsed(), failed.attempts()), (TIMEOUT, 3));
}
