//! Many requests on one HTTP/2 connection: other tasks still run, and all requests end with the connection.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use http::{Request, Response};
use pmesh_layers::{
    body::RequestBody,
    serve::{Ended, Protocol},
};
use tokio::{sync::Semaphore, task::yield_now};
use tower::{BoxError, service_fn};

use super::support::{
    client::{Client, Stack, connect_to, gated},
    http2::{GOAWAY, frames_until, get, hello},
};

/// Concurrent requests.
const MANY: usize = 100;

#[derive(Clone)]
struct Seen {
    /// Requests that have started.
    started: Arc<AtomicUsize>,
    /// Requests that have not ended.
    alive: Arc<AtomicUsize>,
    permits: Arc<Semaphore>,
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Seen {
    fn new() -> Self {
        Self { started: Arc::default(), alive: Arc::default(), permits: Arc::new(Semaphore::new(0)) }
    }

    fn started(&self) -> usize {
        self.started.load(Ordering::Relaxed)
    }

    /// A service that sends one response for each permit.
    fn stack(&self) -> Stack {
        let seen = self.clone();
        gated(service_fn(move |_: Request<RequestBody>| {
            let Seen { started, alive, permits } = seen.clone();
            async move {
                started.fetch_add(1, Ordering::Relaxed);
                alive.fetch_add(1, Ordering::Relaxed);
                let _alive = Alive(alive);
                permits.acquire().await?.forget();
                Ok::<_, BoxError>(Response::new(String::from("fine")))
            }
        }))
    }
}

fn requests(count: usize) -> Vec<u8> {
    let streams = (1..).step_by(2).take(count);
    streams.fold(hello(), |all, stream| [all, get(stream, "a.example")].concat())
}

async fn responses(client: &mut Client, count: usize) {
    let mut left = (1..).step_by(2).take(count).collect::<Vec<_>>();
    while !left.is_empty() {
        let frames =
            frames_until(&mut client.io, |frame| left.iter().any(|stream| frame.is_ok_response(*stream))).await;
        left.retain(|stream| !frames.iter().any(|frame| frame.is_ok_response(*stream)));
    }
}

#[tokio::test(start_paused = true)]
async fn other_tasks_run_between_a_few_of_a_hundred_requests() {
    let seen = Seen::new();
    seen.permits.add_permits(MANY);
    let mut client = connect_to(seen.stack(), Protocol::Http2);
    client.send(requests(MANY)).await;
    // A task that wakes itself waits in the same queue as connections, unlike the test itself or a task that yields.
    let (mut before, mut most) = (0, 0);
    let most = tokio::spawn(poll_fn(move |cx| {
        let now = seen.started();
        (before, most) = (now, most.max(now - before));
        if now == MANY {
            return Poll::Ready(most);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }));
    let most = most.await.unwrap();
    assert!(most <= 16, "{most} requests in a row");
    responses(&mut client, MANY).await;
}

#[tokio::test(start_paused = true)]
async fn all_waiting_requests_are_answered_while_the_connection_drains() {
    let seen = Seen::new();
    let mut client = connect_to(seen.stack(), Protocol::Http2);
    client.send(requests(MANY)).await;
    while seen.started() < MANY {
        yield_now().await;
    }
    client.control.drain();
    yield_now().await;
    seen.permits.add_permits(MANY);
    responses(&mut client, MANY).await;
    assert!(matches!(client.leave().await, Ended::Finished));
    assert_eq!(seen.alive.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn requests_end_with_their_connection() {
    let seen = Seen::new();
    let mut client = connect_to(seen.stack(), Protocol::Http2);
    client.send(requests(MANY)).await;
    while seen.started() < MANY / 2 {
        yield_now().await;
    }
    client.leave().await;
    for _ in 0..MANY {
        yield_now().await;
    }
    assert_eq!(seen.alive.load(Ordering::Relaxed), 0);
    assert_eq!(Arc::strong_count(&seen.started), 1, "a request is still held");
}

#[tokio::test(start_paused = true)]
async fn most_requests_of_a_flood_never_start() {
    let seen = Seen::new();
    let mut client = connect_to(seen.stack(), Protocol::Http2);
    // The gate opens with the first request.
    seen.permits.add_permits(1);
    client.send(requests(1)).await;
    responses(&mut client, 1).await;
    let flood = (3..).step_by(2).take(1000);
    client.send(flood.fold(Vec::new(), |all, stream| [all, get(stream, "a.example")].concat())).await;
    frames_until(&mut client.io, |frame| frame.kind == GOAWAY).await;
    assert!(seen.started() <= 1 + 16, "{} requests", seen.started());
}
