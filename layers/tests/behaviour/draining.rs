//! A draining connection finishes its requests in flight, accepts no new ones, and closes.

use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use pmesh_layers::{
    body::RequestBody,
    serve::{Ended, Protocol},
};
use tokio::sync::Notify;
use tower::{BoxError, service_fn};

use super::support::{
    client::{Client, connect, connect_to, count, gated, get},
    http2::{self, DATA, GOAWAY},
};

/// Connects to a service that responds when it is notified.
fn connect_to_waiting(protocol: Protocol) -> (Client, Arc<Notify>) {
    let release = Arc::new(Notify::new());
    let wait = Arc::clone(&release);
    let service = service_fn(move |_: Request<RequestBody>| {
        let wait = Arc::clone(&wait);
        async move {
            wait.notified().await;
            Ok::<_, BoxError>(Response::new("released".to_owned()))
        }
    });
    (connect_to(gated(service), protocol), release)
}

#[tokio::test(start_paused = true)]
async fn a_request_in_flight_finishes() {
    let (mut client, release) = connect_to_waiting(Protocol::Http1);
    client.send(get("a.example", "/")).await;
    client.expect_nothing_for(Duration::from_secs(60)).await;
    client.control.drain();
    client.expect_nothing_for(Duration::from_secs(60)).await;
    client.send(get("a.example", "/next")).await;
    release.notify_one();
    let answer = String::from_utf8(client.read_to_end().await).unwrap();
    assert!(answer.contains("connection: close\r\n") && answer.ends_with("released"), "{answer}");
    assert_eq!(count(&answer, "HTTP/1.1"), 1, "{answer}");
    assert!(matches!(client.leave().await, Ended::Finished));
}

#[tokio::test(start_paused = true)]
async fn streams_in_flight_finish() {
    let (mut client, release) = connect_to_waiting(Protocol::Http2);
    client.send([http2::hello(), http2::get(1, "a.example"), http2::get(3, "a.example")].concat()).await;
    http2::next_frame(&mut client.io).await.unwrap();
    client.control.drain();
    http2::frames_until(&mut client.io, |frame| frame.kind == GOAWAY).await;
    release.notify_waiters();
    for _ in 0..2 {
        let frames = http2::frames_until(&mut client.io, |frame| frame.kind == DATA).await;
        assert_eq!(frames.last().unwrap().payload, b"released");
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_closes_at_once() {
    let mut client = connect(Protocol::Http1);
    client.send(get("a.example", "/")).await;
    client.read_until("]").await;
    client.control.drain();
    assert_eq!(client.read_to_end().await, b"");
    assert_eq!(client.started.elapsed(), Duration::ZERO);
    assert!(matches!(client.leave().await, Ended::Finished));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_has_already_arrived_is_served() {
    let mut client = connect(Protocol::Http1);
    client.send(get("a.example", "/")).await;
    client.read_until("]").await;
    // The connection is not polled in between.
    client.send(get("a.example", "/last")).await;
    client.control.drain();
    let answer = String::from_utf8(client.read_to_end().await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("/last"), "{answer}");
    assert!(matches!(client.leave().await, Ended::Finished));
}

#[tokio::test(start_paused = true)]
async fn only_idle_connections_count_as_waiting() {
    let (mut client, release) = connect_to_waiting(Protocol::Http1);
    assert_eq!(client.control.idle_for(), None, "the gate is closed");
    client.send(get("a.example", "/")).await;
    client.expect_nothing_for(Duration::from_secs(1)).await;
    assert_eq!(client.control.idle_for(), None, "in flight");
    release.notify_one();
    client.read_until("released").await;
    client.expect_nothing_for(Duration::from_secs(2)).await;
    assert_eq!(client.control.idle_for(), Some(Duration::from_secs(2)));
    client.send("GET / HT").await;
    client.expect_nothing_for(Duration::from_secs(1)).await;
    assert_eq!(client.control.idle_for(), None, "a head has begun");
}

#[tokio::test(start_paused = true)]
async fn an_unresponsive_client_does_not_delay_draining() {
    let (mut client, release) = connect_to_waiting(Protocol::Http2);
    client.send([http2::hello(), http2::get(1, "a.example")].concat()).await;
    http2::next_frame(&mut client.io).await.unwrap();
    client.control.drain();
    // The connection stays as long as a request is in flight.
    http2::frames_until(&mut client.io, |frame| frame.kind == GOAWAY).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    release.notify_waiters();
    http2::frames_until(&mut client.io, |frame| frame.kind == DATA).await;
    // hyper waits for a PING that is never acknowledged.
    client.read_to_end().await;
    assert!(client.started.elapsed() <= Duration::from_secs(33));
    assert!(matches!(client.leave().await, Ended::Idle));
}

#[tokio::test(start_paused = true)]
async fn an_idle_http2_client_does_not_delay_draining() {
    let mut client = connect(Protocol::Http2);
    client.send([http2::hello(), http2::get(1, "a.example")].concat()).await;
    http2::frames_until(&mut client.io, |frame| frame.kind == DATA).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    client.control.drain();
    client.read_to_end().await;
    assert!(client.started.elapsed() <= Duration::from_secs(22));
}

#[tokio::test(start_paused = true)]
async fn draining_behind_a_closed_gate_writes_no_byte() {
    for protocol in [Protocol::Http1, Protocol::Http2, Protocol::Detect] {
        let mut client = connect(protocol);
        client.expect_nothing_for(Duration::from_secs(1)).await;
        client.control.drain();
        assert_eq!(client.read_to_end().await, b"", "{protocol:?}");
        assert!(client.started.elapsed() <= Duration::from_secs(3), "{protocol:?}");
    }
}
