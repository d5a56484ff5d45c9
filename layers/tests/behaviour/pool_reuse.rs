//! Which connections of a pool are reused, and how long they stay idle.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{
    BodyExt, Empty, Full,
    channel::{Channel, Sender},
    combinators::BoxBody,
};
use hyper_util::rt::TokioIo;
use pmesh_layers::{body::ResponseBody, pool::Pool};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tower::ServiceExt;

use super::support::backend::{Backend, Connector, Exchange, backend, settle};

type Body = BoxBody<Bytes, Infallible>;
type TestPool = Pool<Connector>;

fn pool() -> (TestPool, Backend) {
    let (connector, backend) = backend();
    (Pool::new(connector, "http://backend".parse().unwrap()), backend)
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Empty::new().boxed()).unwrap()
}

/// Sends a request. The task ends when the response has arrived.
fn send(pool: &TestPool, request: Request<Body>) -> tokio::task::JoinHandle<Response<ResponseBody>> {
    let pool = pool.clone();
    tokio::spawn(async move { pool.oneshot(request).await.unwrap() })
}

async fn text(response: Response<ResponseBody>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_reused_once_its_response_was_read() {
    let (pool, mut backend) = pool();
    let mut response = send(&pool, get("/1"));
    let mut connection = backend.accept().await;
    for (path, next) in [("/1", "/2"), ("/2", "/3"), ("/3", "/4")] {
        let head = connection.answer(path).await;
        assert!(head.starts_with(&format!("GET {path} HTTP/1.1\r\n")), "{head}");
        assert_eq!(text(response.await.unwrap()).await, path);
        settle().await;
        response = send(&pool, get(next));
    }
    settle().await;
    assert!(!backend.has_waiting());
}

#[tokio::test(start_paused = true)]
async fn other_requests_open_a_connection_while_a_response_is_read() {
    let (pool, mut backend) = pool();
    let first = send(&pool, get("/1"));
    let mut one = backend.accept().await;
    one.head().await;
    one.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf ").await;
    let mut first = first.await.unwrap().into_body();
    first.frame().await.unwrap().unwrap();

    let second = send(&pool, get("/2"));
    backend.accept().await.answer("two").await;
    assert_eq!(text(second.await.unwrap()).await, "two");
}

#[tokio::test(start_paused = true)]
async fn dropping_a_body_early_closes_the_connection() {
    let (pool, mut backend) = pool();
    for body in ["", "half "] {
        let response = send(&pool, get("/"));
        let mut connection = backend.accept().await;
        connection.head().await;
        connection.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{body}")).await;
        drop(response.await.unwrap());
        settle().await;
        assert!(connection.has_ended().await, "{body:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_the_backend_wants_closed_is_not_reused() {
    let (pool, mut backend) = pool();
    for response in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    ] {
        let received = send(&pool, get("/"));
        let mut connection = backend.accept().await;
        connection.head().await;
        connection.send(response).await;
        assert_eq!(text(received.await.unwrap()).await, "ok");
        settle().await;
        assert!(connection.has_ended().await, "{response}");
    }
}

/// Sends a request whose response arrives before its body ends. Returns the connection at the backend, and the sender of the
/// body.
async fn answered_early() -> (TestPool, Backend, Exchange, Sender<Bytes, Infallible>) {
    let (pool, mut backend) = pool();
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    let response = send(&pool, Request::post("/").body(body.boxed()).unwrap());
    let mut connection = backend.accept().await;
    sender.send_data("a part".into()).await.unwrap();
    connection.head().await;
    connection.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    assert_eq!(text(response.await.unwrap()).await, "ok");
    settle().await;
    (pool, backend, connection, sender)
}

/// hyper#4176: the connection neither closes by itself nor becomes ready again.
#[tokio::test(start_paused = true)]
async fn a_request_that_stalls_after_its_response_closes_the_connection() {
    let (pool, mut backend, mut connection, sender) = answered_early().await;
    let second = send(&pool, get("/2"));
    backend.accept().await.answer("two").await;
    assert_eq!(text(second.await.unwrap()).await, "two");

    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(90), connection.0.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the connection stays open and is unusable");
    assert!(String::from_utf8(rest).unwrap().contains("a part"));
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn a_request_continues_after_its_response_as_long_as_it_progresses() {
    let (pool, backend, mut connection, mut sender) = answered_early().await;
    let mut rest = String::new();
    for part in ["second", "third", "fourth", "fifth"] {
        tokio::time::sleep(Duration::from_secs(50)).await;
        sender.send_data(part.into()).await.unwrap();
        while !rest.ends_with(&format!("{part}\r\n")) {
            rest.push(char::from(connection.0.read_u8().await.unwrap()));
        }
    }
    drop(sender);
    while !rest.ends_with("0\r\n\r\n") {
        rest.push(char::from(connection.0.read_u8().await.unwrap()));
    }
    settle().await;
    let second = send(&pool, get("/2"));
    connection.answer("two").await;
    assert_eq!(text(second.await.unwrap()).await, "two");
    assert!(!backend.has_waiting());
}

#[tokio::test(start_paused = true)]
async fn a_connection_whose_backend_stops_reading_after_its_response_is_closed() {
    let (_pool, _backend, mut connection, mut sender) = answered_early().await;
    let started = tokio::time::Instant::now();
    // The backend reads nothing, so the pool gives up at some point.
    while sender.send_data(Bytes::from_static(&[b'x'; 1024])).await.is_ok() {}
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    let mut rest = Vec::new();
    connection.0.read_to_end(&mut rest).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_reused_after_a_request_that_ends_after_its_response() {
    let (pool, mut backend) = pool();
    let (mut sender, body) = Channel::<Bytes, Infallible>::new(1);
    let response = send(&pool, Request::post("/").body(body.boxed()).unwrap());
    let mut connection = backend.accept().await;
    sender.send_data("a part".into()).await.unwrap();
    connection.head().await;
    connection.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    assert_eq!(text(response.await.unwrap()).await, "ok");
    drop(sender);
    settle().await;

    let second = send(&pool, get("/2"));
    settle().await;
    assert!(!backend.has_waiting());
    let mut rest = String::new();
    while !rest.ends_with("0\r\n\r\n") {
        rest.push(char::from(connection.0.read_u8().await.unwrap()));
    }
    connection.answer("two").await;
    assert_eq!(text(second.await.unwrap()).await, "two");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_is_closed_after_its_timeout() {
    let (connector, mut backend) = backend();
    let timeout = Duration::from_secs(30);
    let pool = TestPool::with_limits(connector, "http://backend".parse().unwrap(), 8, timeout);
    let response = send(&pool, get("/"));
    let mut connection = backend.accept().await;
    connection.answer("ok").await;
    text(response.await.unwrap()).await;
    tokio::time::sleep(timeout - Duration::from_secs(1)).await;
    assert!(!connection.has_ended().await);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(connection.has_ended().await);
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_maximum_are_kept_idle() {
    let (connector, mut backend) = backend();
    let pool = TestPool::with_limits(connector, "http://backend".parse().unwrap(), 2, Duration::from_secs(60));
    let responses: Vec<_> = (0..4).map(|_| send(&pool, get("/"))).collect();
    let mut connections = Vec::new();
    for _ in &responses {
        let mut connection = backend.accept().await;
        connection.answer("ok").await;
        connections.push(connection);
    }
    for response in responses {
        text(response.await.unwrap()).await;
    }
    settle().await;
    let mut ended = 0;
    for connection in &mut connections {
        ended += u32::from(connection.has_ended().await);
    }
    assert_eq!(ended, 2);
}

#[tokio::test(start_paused = true)]
async fn an_upgraded_connection_is_not_reused() {
    let (pool, mut backend) = pool();
    let upgrade = Request::get("/").header("connection", "upgrade").header("upgrade", "chat");
    let response = send(&pool, upgrade.body(Full::default().boxed()).unwrap());
    let mut tunnel = backend.accept().await;
    tunnel.head().await;
    tunnel.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n").await;
    let mut upgraded = TokioIo::new(hyper::upgrade::on(response.await.unwrap()).await.unwrap());

    let second = send(&pool, get("/2"));
    backend.accept().await.answer("two").await;
    assert_eq!(text(second.await.unwrap()).await, "two");

    upgraded.write_all(b"ping").await.unwrap();
    let mut received = [0; 4];
    tunnel.0.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"ping");
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_request_closes_its_connection() {
    let (pool, mut backend) = pool();
    let endless = futures_util::stream::repeat_with(|| Ok(http_body::Frame::data(Bytes::from_static(&[b'x'; 1024]))));
    let request = Request::post("/").body(http_body_util::StreamBody::new(endless).boxed()).unwrap();
    let waiting = send(&pool, request);
    // Reads nothing, so that the request gets stuck.
    let mut connection = backend.accept().await;
    settle().await;
    waiting.abort();
    settle().await;
    let mut sent = Vec::new();
    connection.0.read_to_end(&mut sent).await.unwrap();
    assert!(sent.starts_with(b"POST / "));
}
