//! A connection without a request is held by no server of HTTP, and serves the next one as if it were.

use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use pmesh_layers::{
    body::RequestBody,
    serve::{Ended, Protocol},
};
use tokio::time::sleep;
use tower::{BoxError, service_fn};

use super::support::client::{Client, connect, connect_to, gated, get};

const A_WHILE: Duration = Duration::from_secs(5);

/// Answered once, and then asleep.
async fn asleep() -> Client {
    let mut client = connect(Protocol::Http1);
    client.send(get("a.example", "/")).await;
    client.read_until("a.example/ []").await;
    client.hears_nothing_for(A_WHILE).await;
    client
}

#[tokio::test(start_paused = true)]
async fn who_has_nothing_in_flight_holds_no_server() {
    let held = Arc::new(());
    let weak = Arc::downgrade(&held);
    let service = service_fn(move |_: Request<RequestBody>| {
        let _held = &held;
        std::future::ready(Ok::<_, BoxError>(Response::new("answer".to_owned())))
    });
    let mut client = connect_to(gated(service), Protocol::Http1);
    let mut clones = Vec::new();
    sleep(A_WHILE).await;
    clones.push(weak.strong_count());
    client.send(get("a.example", "/")).await;
    client.read_until("answer").await;
    clones.push(weak.strong_count());
    sleep(A_WHILE).await;
    clones.push(weak.strong_count());
    assert!(clones[0] == 1 && clones[1] > 1 && clones[2] == 1, "{clones:?}");
}

#[tokio::test(start_paused = true)]
async fn it_wakes_for_a_request_in_pieces() {
    let mut client = asleep().await;
    let head = "POST /next HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\n";
    for piece in [&head[..5], &head[5..], "ab"] {
        client.send(piece).await;
        client.hears_nothing_for(Duration::from_secs(1)).await;
    }
    client.send("c").await;
    client.read_until("a.example/next [abc]").await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_begins_then_has_its_deadline() {
    let mut client = asleep().await;
    client.send("GET / HTTP").await;
    assert_eq!(client.read_to_end().await, b"");
    assert!(matches!(client.leave().await, Ended::HeadTimeout));
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_its_client() {
    assert!(matches!(asleep().await.leave().await, Ended::Finished));
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_it_is_drained() {
    let mut client = asleep().await;
    client.control.drain();
    assert_eq!(client.read_to_end().await, b"");
    assert!(matches!(client.leave().await, Ended::Finished));
}

#[tokio::test(start_paused = true)]
async fn who_has_named_no_host_is_silenced_in_its_sleep() {
    let mut client = connect(Protocol::Http1);
    client.control.drain();
    assert_eq!(client.read_to_end().await, b"");
    assert!(!client.control.is_open());
}
