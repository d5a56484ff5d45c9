//! Requests without a response, and which of them are returned as unsent.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use pmesh_layers::{
    balance::Balance,
    pool::{Connect, Pool, PoolError},
};
use tokio::{io::AsyncReadExt, task::JoinHandle, time::Instant};
use tower::{ServiceExt, service_fn};

use super::support::backend::{Backend, Connector, Exchange, backend, settle};

type TestPool = Pool<Connector>;
type Answer = Result<Bytes, PoolError>;

fn post(path: &str) -> Request<Full<Bytes>> {
    Request::post(path).body("body".into()).unwrap()
}

fn send(pool: &TestPool, path: &str) -> JoinHandle<Answer> {
    let (pool, request) = (pool.clone(), post(path));
    tokio::spawn(async move { Ok(pool.oneshot(request).await?.into_body().collect().await.unwrap().to_bytes()) })
}

#[tokio::test(start_paused = true)]
async fn no_request_is_lost_if_an_idle_connection_has_closed() {
    for noticed in [false, true] {
        let (connector, mut backend) = backend();
        let pool: TestPool = Pool::new(connector, "http://backend".parse().unwrap());
        let first = send(&pool, "/1");
        let mut idle = backend.accept().await;
        idle.answer("one").await;
        assert_eq!(first.await.unwrap().unwrap(), "one");
        settle().await;

        drop(idle);
        if noticed {
            settle().await;
        }
        let second = send(&pool, "/2");
        let mut fresh = backend.accept().await;
        assert!(fresh.answer("two").await.starts_with("POST /2 "), "noticed: {noticed}");
        assert_eq!(second.await.unwrap().unwrap(), "two");
    }
}

#[tokio::test]
async fn a_request_without_a_connection_is_returned() {
    let (connector, backend) = backend();
    drop(backend);
    let pool: TestPool = Pool::new(connector, "http://backend".parse().unwrap());
    let mut error = pool.oneshot(post("/path")).await.unwrap_err();
    assert!(error.is_connect());
    assert_eq!(error.take_request().unwrap().uri(), "/path");
    assert!(error.take_request().is_none());
    let cause = std::error::Error::source(&error).unwrap();
    assert!(cause.is::<std::io::Error>(), "{cause:?}");
}

/// A connector that takes two seconds.
fn slow() -> (impl Connect + use<>, Backend) {
    let (connector, backend) = backend();
    let slow = service_fn(move |uri| {
        let connector = connector.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            connector.oneshot(uri).await
        }
    });
    (slow, backend)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_opens_too_late_for_a_request_is_used_for_the_next() {
    let (connector, mut backend) = slow();
    let pool: Pool<_> = Pool::new(connector, "http://backend".parse().unwrap());
    let start = Instant::now();
    let hurried = pool.clone().connect_within(Duration::from_secs(1));
    let mut error = hurried.clone().oneshot(post("/hurried")).await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    assert!(error.is_connect_timeout() && error.take_request().is_some());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let next = tokio::spawn(hurried.oneshot(post("/next")));
    assert!(backend.accept().await.answer("ok").await.starts_with("POST /next "));
    next.await.unwrap().unwrap();

    // The pool's timeout covers the whole attempt, whatever the timeout of the connector.
    let error = pool.connect_timeout(Duration::from_secs(1)).oneshot(post("/")).await.unwrap_err();
    assert!(error.is_connect_timeout());
    settle().await;
    assert!(!backend.has_waiting());
}

#[tokio::test(start_paused = true)]
async fn a_pool_without_a_connection_is_connected_in_the_background() {
    let (connector, backend) = slow();
    let pool = |connector| Pool::new(connector, "http://backend".parse().unwrap());
    let hurried = pool(connector).connect_within(Duration::from_secs(1));
    let (good, mut good_backend) = slow();
    // The first endpoint does not open a connection in time.
    let balance = Balance::new([("slow", hurried), ("good", pool(good).connect_within(Duration::from_secs(3)))]);
    let send = || tokio::spawn(balance.clone().oneshot(post("/")));
    let first = send();
    let mut connection = good_backend.accept().await;
    connection.answer("good").await;
    first.await.unwrap().unwrap().into_body().collect().await.unwrap();
    drop(backend);
    // The slow endpoint now refuses connections. The pool notices without a request.
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let sent = send();
        connection.answer("good").await;
        sent.await.unwrap().unwrap().into_body().collect().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_was_sent_is_never_returned() {
    for response in ["", "HTTP/1.1 200", "garbage\r\n\r\n"] {
        let (connector, mut backend) = backend();
        let pool: TestPool = Pool::new(connector, "http://backend".parse().unwrap());
        let sent = send(&pool, "/");
        let mut connection = backend.accept().await;
        connection.head().await;
        connection.send(response).await;
        drop(connection);
        let mut error = sent.await.unwrap().unwrap_err();
        assert!(!error.is_connect() && error.take_request().is_none(), "{response:?}: {error:?}");
        assert!(!backend.has_waiting(), "{response:?}");
    }
}

/// A pool with this many idle connections.
async fn with_idle(count: usize) -> (TestPool, Backend, Vec<Exchange>) {
    let (connector, mut backend) = backend();
    let pool: TestPool = Pool::new(connector, "http://backend".parse().unwrap());
    let sent: Vec<_> = (0..count).map(|_| send(&pool, "/")).collect();
    let mut idle = Vec::new();
    for _ in 0..count {
        let mut connection = backend.accept().await;
        connection.answer("ok").await;
        idle.push(connection);
    }
    for answer in sent {
        answer.await.unwrap().unwrap();
        settle().await;
    }
    (pool, backend, idle)
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_that_closes_on_use_is_not_a_failure_of_the_endpoint() {
    for (response, fault) in [("", false), ("HTTP/1.1 2", true), ("HTTP/1.1 100 Continue\r\n\r\n", true)] {
        let (pool, _backend, mut idle) = with_idle(1).await;
        let sent = send(&pool, "/");
        idle[0].head().await;
        idle[0].send(response).await;
        idle.clear();
        let mut error = sent.await.unwrap().unwrap_err();
        assert_eq!(error.is_endpoint_failure(), fault, "{response:?}: {error:?}");
        assert!(error.take_request().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn connections_idle_for_longer_than_a_dead_one_are_not_tried() {
    let (pool, mut backend, mut idle) = with_idle(3).await;
    let sent = send(&pool, "/1");
    settle().await;
    // The most recently used one is used first.
    let mut last = idle.pop().unwrap();
    last.head().await;
    drop(last);
    assert!(sent.await.unwrap().is_err());
    let again = send(&pool, "/2");
    assert!(backend.accept().await.answer("fresh").await.starts_with("POST /2 "));
    assert_eq!(again.await.unwrap().unwrap(), "fresh");
    for connection in &mut idle {
        connection.0.read_exact(&mut [0; 4]).await.unwrap();
        assert!(connection.has_ended().await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_response_cannot_be_forwarded_is_not_retried() {
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(40 * 1024));
    let fields = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(200));
    let ambiguous = "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
    for response in [long, fields, ambiguous] {
        let (connector, mut backend) = backend();
        let pool: Pool<_> = Pool::new(connector, "http://backend".parse().unwrap());
        let balance = Balance::new([("one", pool.clone()), ("two", pool)]);
        let answer = tokio::spawn(balance.oneshot(Request::get("/").body(Full::default()).unwrap()));
        let mut connection = backend.accept().await;
        connection.head().await;
        connection.send(&response).await;
        assert!(answer.await.unwrap().is_err());
        assert!(!backend.has_waiting(), "{}", &response[..40]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_to_an_endpoint_that_is_down_goes_to_the_next() {
    let endpoint = |uri: &'static str, connector| (uri, Pool::<Connector>::new(connector, uri.parse().unwrap()));
    let (down, closed) = backend();
    drop(closed);
    let (up, mut backend) = backend();
    let balance = Balance::new([endpoint("http://down", down), endpoint("http://up", up)]);
    let answer = tokio::spawn(balance.oneshot(post("/")));
    assert!(backend.accept().await.answer("up").await.starts_with("POST / "));
    assert_eq!(answer.await.unwrap().unwrap().into_body().collect().await.unwrap().to_bytes(), "up");
}
