//! Connections that a client may have authenticated (NTLM, Negotiate) are not shared with other clients.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Full};
use pmesh_layers::{balance::Balance, conn::ConnInfo, pool::Pool};
use tokio::task::JoinHandle;
use tower::{Service, ServiceExt, util::BoxCloneService};

use super::support::{
    backend::{Backend, Connector, Exchange, backend, settle},
    client::PEER,
};

type TestPool = Pool<Connector>;

fn pool() -> (TestPool, Backend) {
    let (connector, backend) = backend();
    (Pool::new(connector, "http://backend".parse().unwrap()), backend)
}

fn client() -> ConnInfo {
    ConnInfo::plain(SocketAddr::from(PEER))
}

/// Sends a request and reads the response body.
fn send(pool: &TestPool, client: Option<&ConnInfo>, authorization: Option<&str>) -> JoinHandle<Bytes> {
    let mut request = Request::new(Full::default());
    if let Some(client) = client {
        request.extensions_mut().insert(client.clone());
    }
    if let Some(authorization) = authorization {
        request.headers_mut().insert("authorization", authorization.parse().unwrap());
    }
    let pool = pool.clone();
    tokio::spawn(async move { pool.oneshot(request).await.unwrap().into_body().collect().await.unwrap().to_bytes() })
}

const CHALLENGE: &str =
    "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Negotiate\r\nwww-authenticate: NTLM\r\ncontent-length: 0\r\n\r\n";

/// Sends the client's first request. Returns the connection, which belongs to the client from now on.
async fn challenged(pool: &TestPool, backend: &mut Backend, client: Option<&ConnInfo>) -> Exchange {
    let first = send(pool, client, None);
    let mut connection = backend.accept().await;
    connection.head().await;
    connection.send(CHALLENGE).await;
    first.await.unwrap();
    settle().await;
    connection
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_asks_for_ntlm_belongs_to_its_client() {
    let (pool, mut backend) = pool();
    let (alice, bob) = (client(), client());
    let mut own = challenged(&pool, &mut backend, Some(&alice)).await;
    // No other client gets it, whether or not it authenticates.
    let mut others = Vec::new();
    for (other, authorization) in [(Some(&bob), None), (None, None), (Some(&bob), Some("NTLM x"))] {
        let theirs = send(&pool, other, authorization);
        settle().await;
        others.extend(backend.try_accept().map(Exchange));
        others.last_mut().unwrap().answer("hello stranger").await;
        assert_eq!(theirs.await.unwrap(), "hello stranger");
        settle().await;
    }
    assert_eq!(others.len(), 1);
    for text in ["challenge", "hello alice", "hello again"] {
        let next = send(&pool, Some(&alice), Some("NTLM TlRMTVNTUAAB"));
        assert!(own.answer(text).await.contains("authorization: NTLM"));
        assert_eq!(next.await.unwrap(), text);
        settle().await;
    }
    let plain = send(&pool, Some(&alice), None);
    own.answer("hello alice").await;
    assert_eq!(plain.await.unwrap(), "hello alice");
}

#[tokio::test(start_paused = true)]
async fn a_private_connection_closes_with_its_client() {
    let (pool, mut backend) = pool();
    let alice = client();
    let mut own = challenged(&pool, &mut backend, Some(&alice)).await;
    assert!(!own.has_ended().await);
    drop(alice);
    settle().await;
    assert!(own.has_ended().await);
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_private_connection_closed_gets_another_one() {
    let (pool, mut backend) = pool();
    let alice = client();
    drop(challenged(&pool, &mut backend, Some(&alice)).await);
    settle().await;
    let next = send(&pool, Some(&alice), Some("NTLM TlRMTVNTUAAB"));
    let mut fresh = backend.accept().await;
    fresh.answer("challenge").await;
    assert_eq!(next.await.unwrap(), "challenge");
    settle().await;
    let next = send(&pool, Some(&alice), None);
    fresh.answer("hello alice").await;
    assert_eq!(next.await.unwrap(), "hello alice");
}

#[tokio::test(start_paused = true)]
async fn credentials_sent_without_a_challenge_make_a_connection_private() {
    for (authorization, private) in [("Negotiate YII=", true), ("ntlm x", true), ("Basic eDp5", false)] {
        let (pool, mut backend) = pool();
        let alice = client();
        let first = send(&pool, Some(&alice), Some(authorization));
        let mut connection = backend.accept().await;
        connection.answer("hello alice").await;
        first.await.unwrap();
        settle().await;
        let other = send(&pool, Some(&client()), None);
        settle().await;
        assert_eq!(backend.has_waiting(), private, "{authorization}");
        drop(other);
    }
}

/// An HTTP/2 connection can carry requests of many clients.
#[tokio::test(start_paused = true)]
async fn a_private_connection_closes_after_the_response_if_its_client_is_unknown_or_uses_http2() {
    let (pool, mut first) = pool();
    assert!(challenged(&pool, &mut first, None).await.has_ended().await);

    // Even if the request was sent to another endpoint first.
    let (down, _) = backend();
    let endpoint = |name: &'static str, connector| (name, Pool::new(connector, "http://backend".parse().unwrap()));
    let (up, mut accepting) = backend();
    let mut request = Request::new(Full::<Bytes>::default());
    let shared = client();
    request.extensions_mut().insert(shared.clone());
    *request.version_mut() = Version::HTTP_2;
    let balance = Balance::new([endpoint("down", down), endpoint("up", up)]);
    let response = tokio::spawn(balance.oneshot(request));
    let mut connection = accepting.accept().await;
    connection.head().await;
    connection.send(CHALLENGE).await;
    response.await.unwrap().unwrap().into_body().collect().await.unwrap();
    settle().await;
    assert!(connection.has_ended().await);
    drop(shared);
}

#[tokio::test(start_paused = true)]
async fn the_client_of_a_private_connection_stays_with_its_endpoint() {
    let (one, mut first) = backend();
    let (two, mut second) = backend();
    let endpoint = |name: &'static str, connector| (name, Pool::new(connector, "http://backend".parse().unwrap()));
    let mut balance = BoxCloneService::new(Balance::new([endpoint("one", one), endpoint("two", two)]));
    let alice = client();
    let mut send = |client: &ConnInfo| {
        let mut request = Request::new(Full::<Bytes>::default());
        request.extensions_mut().insert(client.clone());
        let response = balance.call(request);
        tokio::spawn(async move { response.await.unwrap().into_body().collect().await.unwrap().to_bytes() })
    };
    let response = send(&alice);
    settle().await;
    let mut own = first.accept().await;
    own.head().await;
    own.send(CHALLENGE).await;
    response.await.unwrap();
    settle().await;
    let mut theirs = [Vec::new(), Vec::new()];
    for _ in 0..4 {
        let response = send(&alice);
        own.answer("hello alice").await;
        assert_eq!(response.await.unwrap(), "hello alice");
        settle().await;
        // Other clients still take turns.
        drop(send(&client()));
        settle().await;
        theirs[0].extend(first.try_accept());
        theirs[1].extend(second.try_accept());
    }
    assert_eq!(theirs.map(|connections| connections.len()), [2, 2]);
}
