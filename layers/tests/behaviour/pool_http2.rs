//! Requests over HTTP/2: how they share connections, what reaches the backend, and what happens on failure.

use std::{convert::Infallible, error::Error, time::Duration};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, server};
use http::{HeaderMap, Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::{BodyExt, Channel, Empty, Full, combinators::BoxBody};
use pmesh_layers::{
    body::ResponseBody,
    pool::{Http2Error, Http2Pool, PoolError},
};
use tokio::{
    io::{AsyncReadExt, DuplexStream},
    task::JoinHandle,
};
use tower::ServiceExt;

use super::support::backend::{Backend, Connector, backend, settle};

type Body = BoxBody<Bytes, Infallible>;
type TestPool = Http2Pool<Connector>;
type Answer = Result<Response<ResponseBody>, PoolError>;

fn pool() -> (TestPool, Backend) {
    let (connector, backend) = backend();
    (Http2Pool::new(connector, "http://backend".parse().unwrap()), backend)
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).header("host", "a.test").body(Empty::new().boxed()).unwrap()
}

fn send(pool: &TestPool, request: Request<Body>) -> JoinHandle<Answer> {
    tokio::spawn(pool.clone().oneshot(request))
}

/// The backend's end of a connection.
struct Peer(server::Connection<DuplexStream, Bytes>);

impl Peer {
    async fn accept(backend: &mut Backend, settings: &server::Builder) -> Self {
        Self(settings.handshake(backend.accept().await.0).await.unwrap())
    }

    async fn new(backend: &mut Backend) -> Self {
        Self::accept(backend, &server::Builder::new()).await
    }

    async fn request(&mut self) -> (Request<RecvStream>, server::SendResponse<Bytes>) {
        self.0.accept().await.unwrap().unwrap()
    }

    /// Like [`run`](Self::run), but keeps the requests that arrive instead of dropping them, and never responds.
    fn run_without_responses(mut self) -> JoinHandle<()> {
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Some(Ok(request)) = self.0.accept().await {
                held.push(request);
            }
        })
    }

    /// Drives the connection until the pool closes it.
    fn run(mut self) -> JoinHandle<()> {
        tokio::spawn(async move { while let Some(Ok(_)) = self.0.accept().await {} })
    }
}

fn respond(mut to: server::SendResponse<Bytes>, head: Response<()>) -> SendStream<Bytes> {
    to.send_response(head, false).unwrap()
}

fn ok(to: server::SendResponse<Bytes>) {
    respond(to, Response::new(())).send_data("ok".into(), true).unwrap();
}

async fn text(answer: JoinHandle<Answer>) -> String {
    let body = answer.await.unwrap().unwrap().into_body().collect().await.unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn requests_share_a_connection_up_to_the_limit_of_either_side() {
    for (own, peers, expected) in [(100, None, 100), (100, Some(3), 3), (2, Some(50), 2), (5, None, 5)] {
        let (pool, mut backend) = pool();
        let pool = pool.max_streams(own);
        let mut settings = server::Builder::new();
        peers.map(|limit| settings.max_concurrent_streams(limit));
        let mut answers: Vec<_> = (0..expected).map(|_| send(&pool, get("/"))).collect();
        let mut first = Peer::accept(&mut backend, &settings).await;
        let mut held = Vec::new();
        for _ in 0..expected {
            held.push(first.request().await.1);
        }
        let _first = first.run();
        settle().await;
        assert!(!backend.has_waiting(), "{own} {peers:?}");

        answers.push(send(&pool, get("/more")));
        let mut second = Peer::accept(&mut backend, &settings).await;
        held.push(second.request().await.1);
        let _second = second.run();
        held.into_iter().for_each(ok);
        for answer in answers {
            assert_eq!(text(answer).await, "ok");
        }
        // The first connection has a free stream again.
        let _answer = send(&pool, get("/again"));
        settle().await;
        assert!(!backend.has_waiting(), "{own} {peers:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_allows_no_streams_is_not_kept() {
    let (pool, mut backend) = pool();
    let mut settings = server::Builder::new();
    settings.max_concurrent_streams(0);
    for _ in 0..3 {
        let answer = send(&pool, get("/"));
        let peer = Peer::accept(&mut backend, &settings).await.run();
        assert!(answer.await.unwrap().is_err());
        peer.await.unwrap();
    }
}

#[tokio::test]
async fn the_request_is_valid_http2() {
    let (pool, mut backend) = pool();
    let request = Request::post("/p?q").header("host", "a.test:8").header("te", "trailers").header("connection", "te");
    let answer = send(&pool, request.header("x", "y").body(Full::from("body").boxed()).unwrap());
    let mut peer = Peer::new(&mut backend).await;
    let (request, response) = peer.request().await;
    assert_eq!(request.uri(), "http://a.test:8/p?q");
    let mut names: Vec<_> = request.headers().keys().map(ToString::to_string).collect();
    names.sort();
    assert_eq!(names, ["content-length", "te", "x"]);
    ok(response);
    let _peer = peer.run();
    assert_eq!(text(answer).await, "ok");
}

#[tokio::test]
async fn streams_flow_both_ways_with_trailers_at_the_end() {
    let (pool, mut backend) = pool();
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    let answer = send(&pool, Request::post("/").header("host", "a.test").body(body.boxed()).unwrap());
    let mut peer = Peer::new(&mut backend).await;
    let (mut request, response) = peer.request().await;
    let _peer = peer.run();
    let mut stream = respond(response, Response::new(()));
    let mut body = answer.await.unwrap().unwrap().into_body();
    for _ in 0..3 {
        sender.send_data("ping".into()).await.unwrap();
        assert_eq!(request.body_mut().data().await.unwrap().unwrap(), "ping");
        request.body_mut().flow_control().release_capacity(4).unwrap();
        stream.send_data("pong".into(), false).unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "pong");
    }
    let trailers = |name: &'static str| HeaderMap::from_iter([(name.parse().unwrap(), "0".parse().unwrap())]);
    sender.send_trailers(trailers("x-checksum")).await.unwrap();
    drop(sender);
    assert!(request.body_mut().data().await.is_none());
    assert_eq!(request.body_mut().trailers().await.unwrap(), Some(trailers("x-checksum")));
    stream.send_trailers(trailers("grpc-status")).unwrap();
    assert_eq!(body.frame().await.unwrap().unwrap().into_trailers().unwrap(), trailers("grpc-status"));
    assert!(body.frame().await.is_none());
}

#[tokio::test]
async fn a_dropped_request_is_cancelled_at_the_backend() {
    for with_response in [false, true] {
        let (pool, mut backend) = pool();
        let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
        let answer = send(&pool, Request::post("/").header("host", "a.test").body(body.boxed()).unwrap());
        let mut peer = Peer::new(&mut backend).await;
        let (_request, mut response) = peer.request().await;
        let _peer = peer.run();
        sender.send_data("a part".into()).await.unwrap();
        let reason = if with_response {
            let mut stream = respond(response, Response::new(()));
            let response = answer.await.unwrap().unwrap();
            drop(response);
            // The request body is separate, and has to end too.
            drop(sender);
            std::future::poll_fn(|cx| stream.poll_reset(cx)).await.unwrap()
        } else {
            answer.abort();
            std::future::poll_fn(|cx| response.poll_reset(cx)).await.unwrap()
        };
        assert_eq!(reason, Reason::CANCEL, "{with_response}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_goaway_closes_after_its_streams() {
    let (pool, mut backend) = pool();
    let first = send(&pool, get("/1"));
    let mut old = Peer::new(&mut backend).await;
    let (_, response) = old.request().await;
    old.0.graceful_shutdown();
    let old = old.run();
    settle().await;

    // Given to the old connection, returned, and sent over a new one.
    let second = send(&pool, Request::post("/2").header("host", "a.test").body(Full::from("body").boxed()).unwrap());
    let mut new = Peer::new(&mut backend).await;
    let (request, answer) = new.request().await;
    assert_eq!(request.uri(), "http://a.test/2");
    ok(answer);
    let _new = new.run();
    assert_eq!(text(second).await, "ok");
    ok(response);
    assert_eq!(text(first).await, "ok");
    old.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_speak_http2_gets_no_request() {
    for (says, closes, expected) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", false, Http2Error::NotHttp2("HTTP/1.1 ".into())),
        ("", true, Http2Error::Closed),
        ("", false, Http2Error::Timeout),
    ] {
        let (pool, mut backend) = pool();
        let answers = [send(&pool, get("/1")), send(&pool, get("/2"))];
        let mut connection = backend.accept().await;
        connection.send(says).await;
        let mut open = (!closes).then_some(connection);
        for (answer, path) in answers.into_iter().zip(["/1", "/2"]) {
            let mut error = answer.await.unwrap().unwrap_err();
            let cause = error.source().unwrap();
            assert_eq!(cause.to_string(), "backend does not speak HTTP/2");
            assert_eq!(cause.source().unwrap().downcast_ref(), Some(&expected));
            assert!(error.is_connect());
            // The request is returned unchanged.
            let request = error.take_request().unwrap();
            assert_eq!(
                (request.uri().to_string(), &request.headers()["host"]),
                (path.into(), &"a.test".parse().unwrap())
            );
        }
        if let Some(connection) = &mut open {
            let mut greeting = Vec::new();
            let ended = connection.0.read_to_end(&mut greeting);
            assert!(tokio::time::timeout(Duration::from_secs(1), ended).await.is_ok(), "{expected}");
        }
        // The second request has shared the failure of the first.
        assert!(!backend.has_waiting(), "{expected}");
    }
}

#[tokio::test]
async fn without_a_connection_all_requests_are_returned() {
    let (pool, backend) = pool();
    drop(backend);
    for answer in [send(&pool, get("/1")), send(&pool, get("/2"))] {
        let mut error = answer.await.unwrap().unwrap_err();
        assert!(error.is_connect() && error.take_request().is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_truncated_response_has_no_clean_end() {
    #[derive(Debug, Clone, Copy)]
    enum Cut {
        Reset(Reason),
        /// A clean end of the stream, but fewer bytes than announced.
        ShortLength,
        Connection,
        GoawayAndConnection,
    }
    for cut in [
        Cut::Reset(Reason::INTERNAL_ERROR),
        Cut::Reset(Reason::CANCEL),
        Cut::Reset(Reason::NO_ERROR),
        Cut::ShortLength,
        Cut::Connection,
        Cut::GoawayAndConnection,
    ] {
        let (pool, mut backend) = pool();
        let answer = send(&pool, get("/"));
        let mut peer = Peer::new(&mut backend).await;
        let (_, response) = peer.request().await;
        let mut stream = respond(response, Response::builder().header("content-length", "9").body(()).unwrap());
        stream.send_data("half".into(), matches!(cut, Cut::ShortLength)).unwrap();
        let peer = if matches!(cut, Cut::GoawayAndConnection) {
            peer.0.graceful_shutdown();
            peer.run()
        } else {
            peer.run()
        };
        let mut body = answer.await.unwrap().unwrap().into_body();
        settle().await;
        if let Cut::Reset(reason) = cut {
            stream.send_reset(reason);
        } else if matches!(cut, Cut::Connection | Cut::GoawayAndConnection) {
            peer.abort();
            drop(stream);
        }
        let mut last = body.frame().await;
        while matches!(&last, Some(Ok(_))) {
            last = body.frame().await;
        }
        assert!(matches!(last, Some(Err(_))), "{cut:?}: {last:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_and_a_busy_one_is_not() {
    let (pool, mut backend) = pool();
    let pool = pool.idle_timeout(Duration::from_secs(30));
    let answer = send(&pool, get("/"));
    let mut peer = Peer::new(&mut backend).await;
    let (_, response) = peer.request().await;
    let peer = peer.run();
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(!peer.is_finished());
    ok(response);
    assert_eq!(text(answer).await, "ok");
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert!(peer.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_vanished_is_detected() {
    let (pool, mut backend) = pool();
    let pool = pool.keep_alive(Duration::from_secs(60), Duration::from_secs(5));
    let answer = send(&pool, get("/"));
    let mut peer = Peer::new(&mut backend).await;
    // Kept open, but never read.
    let _request = peer.request().await;
    let error = tokio::time::timeout(Duration::from_secs(70), answer).await.unwrap().unwrap().unwrap_err();
    assert!(!error.is_connect());
}

#[tokio::test(start_paused = true)]
async fn a_request_dropped_without_a_response_is_the_last_on_its_connection() {
    for (answered, given_up, is_last) in [(0, 9, false), (0, 10, true), (5, 14, false), (5, 15, true)] {
        let (pool, mut backend) = pool();
        let first = send(&pool, get("/answered"));
        let mut peer = Peer::new(&mut backend).await;
        let (_, response) = peer.request().await;
        let second = send(&pool, get("/given-up"));
        let (_, _held) = peer.request().await;
        let _peer = peer.run();
        tokio::time::sleep(Duration::from_secs(answered)).await;
        ok(response);
        assert_eq!(text(first).await, "ok");
        tokio::time::sleep(Duration::from_secs(given_up - answered)).await;
        second.abort();
        settle().await;
        let _next = send(&pool, get("/next"));
        settle().await;
        assert_eq!(backend.has_waiting(), is_last, "{answered} {given_up}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_on_which_nothing_arrives_gets_no_new_requests() {
    let (pool, mut backend) = pool();
    // The peer keeps answering PINGs.
    let pool = pool.keep_alive(Duration::from_secs(1), Duration::from_secs(1));
    let slow = send(&pool, get("/slow"));
    let mut peer = Peer::new(&mut backend).await;
    let (_, response) = peer.request().await;
    let _peer = peer.run_without_responses();
    for _ in 0..5 {
        let given_up = send(&pool, get("/given-up"));
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(!backend.has_waiting());
        given_up.abort();
    }
    let next = send(&pool, get("/next"));
    let mut second = Peer::new(&mut backend).await;
    ok(second.request().await.1);
    let _second = second.run();
    assert_eq!(text(next).await, "ok");

    // The request that still waits there is not cancelled. Once a part of its response arrives, the connection is used again.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let mut stream = respond(response, Response::new(()));
    let mut body = slow.await.unwrap().unwrap().into_body();
    let waits = send(&pool, get("/waits"));
    tokio::time::sleep(Duration::from_secs(9)).await;
    stream.send_data("ok".into(), false).unwrap();
    body.frame().await.unwrap().unwrap();
    tokio::time::sleep(Duration::from_secs(9)).await;
    let _more = send(&pool, get("/more"));
    settle().await;
    assert!(!backend.has_waiting() && !waits.is_finished());
}

#[tokio::test(start_paused = true)]
async fn an_attempt_to_connect_outlives_the_request_that_started_it() {
    let (pool, mut backend) = pool();
    let first = send(&pool, get("/first"));
    let connection = backend.accept().await.0;
    first.abort();
    let second = send(&pool, get("/second"));
    settle().await;
    let mut peer = Peer(server::handshake(connection).await.unwrap());
    let (request, response) = peer.request().await;
    assert_eq!(request.uri().path(), "/second");
    ok(response);
    let _peer = peer.run();
    assert_eq!(text(second).await, "ok");
    assert!(!backend.has_waiting());
}

#[tokio::test(start_paused = true)]
async fn a_request_can_time_out_before_the_connection_attempt() {
    let (pool, mut backend) = pool();
    let start = tokio::time::Instant::now();
    let hurried = pool.clone().connect_within(Duration::from_secs(1)).oneshot(get("/hurried"));
    let mut error = hurried.await.unwrap_err();
    assert_eq!(error.source().unwrap().to_string(), "connecting timed out after 1.0s");
    assert!(error.is_connect() && error.take_request().is_some());
    assert_eq!(start.elapsed(), Duration::from_secs(1));

    let next = send(&pool, get("/next"));
    let mut peer = Peer::new(&mut backend).await;
    ok(peer.request().await.1);
    let _peer = peer.run();
    assert_eq!(text(next).await, "ok");
    assert!(!backend.has_waiting());
}

#[tokio::test(start_paused = true)]
async fn all_steps_of_connecting_share_one_timeout() {
    let (connector, mut backend) = backend();
    // As with a TLS handshake.
    let slow = tower::service_fn(move |uri| {
        let connector = connector.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            connector.oneshot(uri).await
        }
    });
    let pool = Http2Pool::new(slow, "http://backend".parse().unwrap());
    for (timeout, cause) in [(1, "connecting timed out after 1.0s"), (3, "backend does not speak HTTP/2")] {
        let start = tokio::time::Instant::now();
        let error = pool.clone().connect_timeout(Duration::from_secs(timeout)).oneshot(get("/")).await.unwrap_err();
        assert_eq!(error.source().unwrap().to_string(), cause);
        assert_eq!(start.elapsed().as_secs(), timeout);
    }
    drop(backend.accept().await);
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_an_idle_timeout_of_zero_is_used_once() {
    let (pool, mut backend) = pool();
    let pool = pool.idle_timeout(Duration::ZERO);
    for _ in 0..2 {
        let answer = send(&pool, get("/"));
        let mut peer = Peer::new(&mut backend).await;
        ok(peer.request().await.1);
        let peer = peer.run();
        assert_eq!(text(answer).await, "ok");
        peer.await.unwrap();
    }
}

#[tokio::test]
async fn a_response_without_a_body_has_ended() {
    let (pool, mut backend) = pool();
    let answer = send(&pool, get("/"));
    let mut peer = Peer::new(&mut backend).await;
    let (_, mut response) = peer.request().await;
    // This is how gRPC reports an error.
    response.send_response(Response::builder().header("grpc-status", "12").body(()).unwrap(), true).unwrap();
    let _peer = peer.run();
    let response = answer.await.unwrap().unwrap();
    assert_eq!(response.headers()["grpc-status"], "12");
    assert!(response.body().is_end_stream());
    let none: Option<Result<Frame<Bytes>, _>> = response.into_body().frame().await;
    assert!(none.is_none());
}
