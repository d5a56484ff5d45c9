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
    balance::{Balance, Failed, Failure},
    body::RequestBody,
};

const TIMEOUT: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// A body of `count` pieces that come `every` so often.
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

/// Sends `body` to a service that reads a piece, rests for `pause`, and answers at the end with how much it was.
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
async fn an_upload_may_take_long_as_long_as_it_moves() {
    let layer = ResponseTimeoutLayer::new(TIMEOUT);
    assert_eq!(read_all(layer, slow_body(TIMEOUT / 2, b"x", 10), Duration::ZERO).await.unwrap(), 10);
}

#[tokio::test(start_paused = true)]
async fn whoever_holds_up_the_request_is_named() {
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
async fn a_body_must_bring_its_rate() {
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
async fn a_fast_begin_does_not_make_up_for_a_slow_rest() {
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
async fn time_that_the_backend_takes_is_not_the_clients() {
    // Two hundred bytes a second, of which the backend takes a piece in half a minute.
    let layer = ResponseTimeoutLayer::new(TIMEOUT).min_rate(100, TIMEOUT);
    let body = slow_body(SECOND, &[b'x'; 200], 150);
    assert_eq!(read_all(layer, body, TIMEOUT / 2).await.unwrap(), 30_000);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_said_of_a_body_that_has_ended() {
    // The backend rests once, so that a window of waiting is full between two looks; by the second all is there.
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
async fn http2_may_be_exempt() {
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
async fn a_grpc_client_may_pause() {
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
async fn a_backend_that_has_all_of_a_grpc_request_answers_in_time() {
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
    // A piece after the pause, and the end after one more.
    assert_eq!(start.elapsed(), pause * 2 + TIMEOUT);
}

/// The error of an endpoint that has read the request.
#[derive(Debug, thiserror::Error)]
#[error("broken off")]
struct BrokenOff;

#[tokio::test(start_paused = true)]
async fn all_endpoints_that_are_tried_share_one_timeout() {
    let endpoint = |breaks_off: Duration| {
        let service = move |_: Request<RequestBody>| async move {
            sleep(breaks_off).await;
            Err::<Response<Empty<Bytes>>, _>(BrokenOff)
        };
        ResponseTimeoutLayer::new(TIMEOUT).layer(tower::service_fn(service))
    };
    let balance = Balance::new([("breaks off", endpoint(TIMEOUT * 2 / 3)), ("slow", endpoint(TIMEOUT * 2))]);
    // The second endpoint had too little time, which is not its fault, so it alone gets the next request.
    for attempts in [2, 1] {
        let start = Instant::now();
        let error = balance.clone().oneshot(Request::new(Empty::<Bytes>::new())).await.unwrap_err();
        assert_eq!(start.elapsed(), TIMEOUT);
        let failed: &Failed = error.downcast_ref().unwrap();
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
async fn time_that_an_endpoint_takes_to_refuse_is_gone_for_the_next() {
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
    let failed: &Failed = error.downcast_ref().unwrap();
    assert_eq!((start.elapsed(), failed.attempts()), (TIMEOUT, 3));
}
