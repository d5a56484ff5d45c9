//! Requests that got no response: which come back unsent.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use pmesh_layers::{
    balance::{Balance, Once, Unsent},
    pool::{Pool, PoolError},
};
use tokio::task::JoinHandle;
use tower::ServiceExt;

use super::support::backend::{Connector, backend, settle};

type TestPool = Pool<Connector, Full<Bytes>>;
type Answer = Result<Bytes, PoolError<Full<Bytes>>>;

fn post(path: &str) -> Request<Full<Bytes>> {
    Request::post(path).body("body".into()).unwrap()
}

fn send(pool: &TestPool, path: &str) -> JoinHandle<Answer> {
    let (pool, request) = (pool.clone(), post(path));
    tokio::spawn(async move { Ok(pool.oneshot(request).await?.into_body().collect().await.unwrap().to_bytes()) })
}

#[tokio::test(start_paused = true)]
async fn a_waiting_connection_that_ended_costs_no_request() {
    for noticed in [false, true] {
        let (connector, mut backend) = backend();
        let pool: TestPool = Pool::new(connector, "http://backend".parse().unwrap());
        let first = send(&pool, "/1");
        let mut waiting = backend.accept().await;
        waiting.answer("one").await;
        assert_eq!(first.await.unwrap().unwrap(), "one");
        settle().await;

        drop(waiting);
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
async fn a_request_without_a_connection_comes_back() {
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

#[tokio::test(start_paused = true)]
async fn a_request_that_was_sent_never_comes_back() {
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

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_down_hands_over_to_the_next() {
    let endpoint = |uri: &'static str, connector| {
        (uri, Pool::<Connector, Once<Full<Bytes>>>::new(connector, uri.parse().unwrap()))
    };
    let (down, closed) = backend();
    drop(closed);
    let (up, mut backend) = backend();
    let balance = Balance::new([endpoint("http://down", down), endpoint("http://up", up)]);
    let answer = tokio::spawn(balance.oneshot(post("/")));
    assert!(backend.accept().await.answer("up").await.starts_with("POST / "));
    assert_eq!(answer.await.unwrap().unwrap().into_body().collect().await.unwrap().to_bytes(), "up");
}
