//! Requests wait until a service is ready, and drained endpoints get none.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, future::join};
use http::{Request, Response, StatusCode, header::RETRY_AFTER};
use http_body_util::{BodyExt, Empty};
use pmesh_layers::{
    balance::{Endpoint, Health, Rotation},
    body::RequestBody,
    respond::RespondLayer,
    wait_ready::{Readiness, WaitReadyLayer},
};
use tower::{ServiceBuilder, ServiceExt};
use tower_test::mock::{self, Handle};

type Sent = Request<RequestBody>;

fn request(path: &str) -> Request<Empty<Bytes>> {
    Request::get(path).body(Empty::new()).unwrap()
}

/// Asserts that a request for `path` has arrived, and responds with `text`.
async fn answer(handle: &mut Handle<Sent, Response<String>>, path: &str, text: &'static str) {
    let (request, respond) = handle.next_request().await.unwrap();
    assert_eq!(request.uri(), path);
    respond.send_response(Response::new(text.to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_request_goes_to_the_endpoint_that_is_put_into_use() {
    let (readiness, health) = (Readiness::new(), [Health::new(), Health::new()]);
    health.iter().for_each(Health::drain);
    let ((one, mut first), (two, mut second)) = (mock::pair(), mock::pair());
    let endpoints = vec![
        Endpoint::with_health("one", one, health[0].clone()),
        Endpoint::with_health("two", two, health[1].clone()),
    ];
    let service = ServiceBuilder::new()
        .layer(WaitReadyLayer::new(readiness.clone(), Duration::from_secs(10)))
        .service(Rotation::new().balance(endpoints, Vec::new()));

    let mut waits = Box::pin(service.clone().oneshot(request("/waits")));
    assert!((&mut waits).now_or_never().is_none());
    assert_eq!(readiness.wanted().await.waiting, 1);
    health[1].resume();
    readiness.set_ready(true);
    let (response, ()) = join(waits, answer(&mut second, "/waits", "second")).await;
    assert_eq!(response.unwrap().into_body().collect().await.unwrap().to_bytes(), "second");

    // A rollout: the new one first, then the old one.
    health[0].resume();
    health[1].drain();
    for _ in 0..3 {
        let sent = service.clone().oneshot(request("/next"));
        let (response, ()) = join(sent, answer(&mut first, "/next", "first")).await;
        assert!(response.is_ok());
    }
    assert!(second.next_request().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_client_is_told_when_to_try_again() {
    let (inner, mut handle) = mock::pair::<Sent, Response<String>>();
    let service = ServiceBuilder::new()
        .layer(RespondLayer::new())
        .layer(WaitReadyLayer::new(Readiness::new(), Duration::from_secs(10)).max_waiting(1))
        .service(inner);
    let call = || service.clone().oneshot(request("/"));
    let mut first = Box::pin(call());
    assert!((&mut first).now_or_never().is_none());
    for response in [call().await.unwrap(), first.await.unwrap()] {
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }
    assert!(handle.next_request().now_or_never().is_none());
}
