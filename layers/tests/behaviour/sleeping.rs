//! An idle connection goes to sleep: it gives up its HTTP server, and still serves the next request.

use std::{
    future::{Future, pending},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use http::{Request, Response};
use pmesh_layers::{
    body::RequestBody,
    conn::ConnInfo,
    serve::{Ended, HttpServer, Protocol},
};
use tokio::{
    io::AsyncWriteExt,
    time::{advance, sleep},
};
use tower::{BoxError, service_fn};

use super::support::client::{Client, connect, connect_to, gated, get};

const A_WHILE: Duration = Duration::from_secs(5);

/// A connection that went to sleep after its first response.
async fn sleeping_connection() -> Client {
    let mut client = connect(Protocol::Http1);
    client.send(get("a.example", "/")).await;
    client.read_until("a.example/ []").await;
    client.expect_nothing_for(A_WHILE).await;
    client
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_holds_no_http_server() {
    let held = Arc::new(());
    let weak = Arc::downgrade(&held);
    let service = service_fn(move |_: Request<RequestBody>| {
        let _held = &held;
        std::future::ready(Ok::<_, BoxError>(Response::new("answer".to_owned())))
    });
    let mut client = connect_to(gated(service), Protocol::Http1);
    let mut counts = Vec::new();
    sleep(A_WHILE).await;
    counts.push(weak.strong_count());
    client.send(get("a.example", "/")).await;
    client.read_until("answer").await;
    counts.push(weak.strong_count());
    sleep(A_WHILE).await;
    counts.push(weak.strong_count());
    assert!(counts[0] == 1 && counts[1] > 1 && counts[2] == 1, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sleeping_connection_serves_a_request_in_pieces() {
    let mut client = sleeping_connection().await;
    let head = "POST /next HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\n";
    for piece in [&head[..5], &head[5..], "ab"] {
        client.send(piece).await;
        client.expect_nothing_for(Duration::from_secs(1)).await;
    }
    client.send("c").await;
    client.read_until("a.example/next [abc]").await;
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_head_after_waking_times_out() {
    let mut client = sleeping_connection().await;
    client.send("GET / HTTP").await;
    assert_eq!(client.read_to_end().await, b"");
    assert!(matches!(client.leave().await, Ended::HeadTimeout));
}

#[tokio::test(start_paused = true)]
async fn a_sleeping_connection_ends_when_its_client_leaves() {
    assert!(matches!(sleeping_connection().await.leave().await, Ended::Finished));
}

#[tokio::test(start_paused = true)]
async fn draining_closes_a_sleeping_connection() {
    let mut client = sleeping_connection().await;
    client.control.drain();
    assert_eq!(client.read_to_end().await, b"");
    assert!(matches!(client.leave().await, Ended::Finished));
}

#[tokio::test(start_paused = true)]
async fn draining_before_the_first_request_closes_without_a_byte() {
    let mut client = connect(Protocol::Http1);
    client.control.drain();
    assert_eq!(client.read_to_end().await, b"");
    assert!(!client.control.is_open());
}

#[derive(Default)]
struct Wakes(AtomicU32);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A timer for each connection would keep waking up the runtime.
#[tokio::test(start_paused = true)]
async fn no_sleep_timer_runs_while_a_request_is_in_flight() {
    let (mut client, connection) = tokio::io::duplex(4096);
    let info = ConnInfo::plain(([192, 0, 2, 1], 40000).into());
    let service = service_fn(async |_: Request<RequestBody>| pending::<Result<Response<String>, BoxError>>().await);
    let mut served = pin!(HttpServer::new().serve(connection, info, Protocol::Http1, gated(service)));
    client.write_all(get("a.example", "/").as_bytes()).await.unwrap();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    assert!(served.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let before = wakes.0.load(Ordering::Relaxed);
    advance(Duration::from_secs(1)).await;
    assert_eq!(wakes.0.load(Ordering::Relaxed), before);
}
