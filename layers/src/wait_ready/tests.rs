use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tower::{BoxError, Layer, ServiceExt, service_fn, util::BoxCloneSyncService};

use super::*;
use crate::{
    balance::{Balance, Endpoint, EndpointError, Failure, Health, Rotation},
    body::{RequestBody, ResponseBody},
};

const TIMEOUT: Duration = Duration::from_secs(10);

type Inner = BoxCloneSyncService<Request<RequestBody>, Response<ResponseBody>, BoxError>;

/// Responds with the body of the request.
fn echo() -> Inner {
    let service = service_fn(async |request: Request<RequestBody>| {
        let body = request.into_body().collect().await.unwrap().to_bytes();
        Ok::<_, Infallible>(Response::new(ResponseBody::from(String::from_utf8_lossy(&body).into_owned())))
    });
    BoxCloneSyncService::new(service.map_err(Into::into))
}

/// Sends a request with this body, in its own task.
fn send<S>(service: &WaitReady<S>, body: &'static str) -> JoinHandle<Result<String, BoxError>>
where
    WaitReady<S>:
        tower::Service<Request<String>, Response = Response<ResponseBody>, Error = BoxError, Future: Send> + Clone,
    S: Send + Sync + 'static,
{
    let service = service.clone();
    tokio::spawn(async move {
        let response = service.oneshot(Request::get("/").body(body.to_owned()).unwrap()).await?;
        let body = response.into_body().collect().await?.to_bytes();
        Ok(String::from_utf8_lossy(&body).into_owned())
    })
}

fn not_ready(result: Result<String, BoxError>) -> NotReady {
    *result.unwrap_err().downcast().unwrap()
}

#[tokio::test(start_paused = true)]
async fn requests_to_a_stopped_service_do_not_wait() {
    let readiness = Readiness::new();
    let service = WaitReadyLayer::new(readiness.clone(), TIMEOUT).layer(echo());
    let waiting = send(&service, "a");
    sleep(Duration::from_secs(1)).await;
    readiness.set_stopped(true);
    let start = Instant::now();
    assert_eq!(not_ready(waiting.await.unwrap()), NotReady::Stopped);
    assert_eq!(not_ready(send(&service, "b").await.unwrap()), NotReady::Stopped);
    assert_eq!((start.elapsed(), readiness.waiting(), readiness.is_stopped()), (Duration::ZERO, 0, true));
    // What is ready serves, whatever it was before.
    readiness.set_ready(true);
    assert_eq!(send(&service, "c").await.unwrap().unwrap(), "c");
    readiness.set_ready(false);
    readiness.set_stopped(false);
    let waiting = send(&service, "d");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(readiness.waiting(), 1);
    readiness.set_ready(true);
    assert_eq!(waiting.await.unwrap().unwrap(), "d");
}

#[tokio::test(start_paused = true)]
async fn requests_wait_until_the_service_is_ready() {
    let readiness = Readiness::new();
    let service = WaitReadyLayer::new(readiness.clone(), TIMEOUT).layer(echo());
    let sent: Vec<_> = (0..100).map(|_| send(&service, "hello")).collect();
    sleep(TIMEOUT / 2).await;
    assert_eq!((readiness.waiting(), readiness.is_ready()), (100, false));
    readiness.set_ready(true);
    for one in sent {
        assert_eq!(one.await.unwrap().unwrap(), "hello");
    }
    assert_eq!(readiness.waiting(), 0);
    let start = Instant::now();
    assert_eq!(send(&service, "at once").await.unwrap().unwrap(), "at once");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn requests_fail_after_the_timeout() {
    for timeout in [TIMEOUT, Duration::ZERO] {
        let readiness = Readiness::new();
        let service = WaitReadyLayer::new(readiness.clone(), timeout).layer(echo());
        let start = Instant::now();
        assert_eq!(not_ready(send(&service, "").await.unwrap()), NotReady::TimedOut(timeout));
        assert_eq!(start.elapsed(), timeout);
        assert_eq!(readiness.waiting(), 0);
    }
    // "Never" is a year.
    let service = WaitReadyLayer::new(Readiness::new(), Duration::MAX).layer(echo());
    let waits = send(&service, "");
    sleep(TIMEOUT).await;
    assert!(!waits.is_finished());
}

#[tokio::test(start_paused = true)]
async fn requests_fail_at_once_when_too_many_are_waiting() {
    let readiness = Readiness::new();
    let layer = WaitReadyLayer::new(readiness.clone(), TIMEOUT).max_waiting(2);
    // Services of the same layer, as on two workers.
    let services = [layer.layer(echo()), layer.layer(echo())];
    let first = services.each_ref().map(|service| send(service, "first"));
    tokio::task::yield_now().await;
    assert_eq!(not_ready(send(&services[0], "").await.unwrap()), NotReady::TooManyWaiting);
    // A client that disconnects makes room.
    first[0].abort();
    sleep(Duration::from_millis(1)).await;
    assert_eq!(readiness.waiting(), 1);
    let third = send(&services[1], "third");
    tokio::task::yield_now().await;
    readiness.set_ready(true);
    assert_eq!(third.await.unwrap().unwrap(), "third");
}

#[tokio::test(start_paused = true)]
async fn a_request_wakes_the_task_that_starts_the_service() {
    let readiness = Readiness::new();
    let service = WaitReadyLayer::new(readiness.clone(), TIMEOUT).layer(echo());
    let wanted = || readiness.wanted().now_or_never().map(|wanted| wanted.waiting);
    assert_eq!(wanted(), None);
    let waiter = tokio::spawn({
        let readiness = readiness.clone();
        async move { readiness.wanted().await.waiting }
    });
    sleep(TIMEOUT).await;
    assert!(!waiter.is_finished());
    let sent = send(&service, "cold");
    assert_eq!(waiter.await.unwrap(), 1);
    // The service is still not ready, and the request still waits.
    assert_eq!(wanted(), Some(1));
    readiness.set_ready(true);
    assert_eq!(sent.await.unwrap().unwrap(), "cold");
    // Requests to a ready service wake nobody, and earlier ones no longer count.
    send(&service, "").await.unwrap().unwrap();
    readiness.set_ready(false);
    assert_eq!(wanted(), None);
    // A request that has given up does not start the service a second time.
    assert!(send(&service, "").await.unwrap().is_err());
    assert_eq!(wanted(), Some(0));
    assert_eq!(wanted(), None);
}

#[tokio::test(start_paused = true)]
async fn one_of_several_services_is_enough() {
    let all = [Readiness::new(), Readiness::new()];
    let service = WaitReadyLayer::any(all.clone(), TIMEOUT).layer(echo());
    let sent = send(&service, "hello");
    sleep(TIMEOUT / 2).await;
    assert_eq!(all.each_ref().map(Readiness::waiting), [1, 1]);
    all[1].set_ready(true);
    assert_eq!(sent.await.unwrap().unwrap(), "hello");
    all[1].set_ready(false);
    all[0].set_ready(true);
    assert_eq!(send(&service, "hello").await.unwrap().unwrap(), "hello");
}

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Died(&'static str);

/// An endpoint that fails this often before it responds.
fn dying(failures: u32, how: &'static str, health: &Health) -> (Endpoint<Inner>, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&calls);
    let service = service_fn(move |request: Request<RequestBody>| {
        let is_dead = count.fetch_add(1, Ordering::Relaxed) < failures;
        async move { if is_dead { Err(Died(how).into()) } else { echo().oneshot(request).await } }
    });
    (Endpoint::with_health("a", BoxCloneSyncService::new(service), health.clone()), calls)
}

fn around(endpoint: Endpoint<Inner>, readiness: &Readiness) -> WaitReady<Balance<Inner>> {
    let balance = Rotation::new().balance(vec![endpoint], Vec::new());
    let balance = balance.classify(|error: &BoxError| match error.downcast_ref() {
        Some(Died("unsent")) => Failure::new().unsent(),
        _ => Failure::new(),
    });
    WaitReadyLayer::new(readiness.clone(), TIMEOUT).layer(balance.return_requests())
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_while_the_only_endpoint_is_drained_even_if_the_service_is_ready() {
    let (readiness, health) = (Readiness::new(), Health::new());
    readiness.set_ready(true);
    health.drain();
    let (endpoint, calls) = dying(0, "", &health);
    let service = around(endpoint, &readiness);
    let sent = send(&service, "hello");
    sleep(Duration::from_secs(1)).await;
    readiness.set_ready(false);
    sleep(Duration::from_secs(1)).await;
    assert_eq!((readiness.waiting(), calls.load(Ordering::Relaxed)), (1, 0));
    health.resume();
    readiness.set_ready(true);
    assert_eq!(sent.await.unwrap().unwrap(), "hello");

    // If that lasts, the request fails.
    health.drain();
    let start = Instant::now();
    assert!(matches!(not_ready(send(&service, "").await.unwrap()), NotReady::TimedOut(_)));
    assert_eq!(start.elapsed(), TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn a_request_survives_an_endpoint_that_dies_and_is_replaced() {
    for how in ["unsent", "sent"] {
        let (readiness, health) = (Readiness::new(), Health::new());
        readiness.set_ready(true);
        // Before the supervisor knows that it has died. The balance itself tries a broken connection again.
        let (endpoint, calls) = dying(2, how, &health);
        let service = around(endpoint, &readiness);
        let sent = send(&service, "");
        sleep(Duration::from_millis(1)).await;
        assert!(calls.load(Ordering::Relaxed) > 0);
        health.drain();
        readiness.set_ready(false);
        sleep(TIMEOUT / 2).await;
        assert!(!sent.is_finished());
        health.resume();
        readiness.set_ready(true);
        assert_eq!(sent.await.unwrap().unwrap(), "", "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_not_sent_again_and_again_to_an_endpoint_that_always_fails() {
    // Each time, the balance tries a broken connection again, as far as its budget allows.
    for (how, expected) in [("unsent", 6), ("sent", 6)] {
        let readiness = Readiness::new();
        readiness.set_ready(true);
        let (endpoint, calls) = dying(u32::MAX, how, &Health::new());
        let service = around(endpoint, &readiness);
        let start = Instant::now();
        let error = send(&service, "").await.unwrap().unwrap_err();
        assert!(error.is::<EndpointError>(), "{error}");
        assert!(start.elapsed() < Duration::from_secs(1));
        assert_eq!(calls.load(Ordering::Relaxed), expected, "{how}");
        assert_eq!(readiness.waiting(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn requests_do_not_wait_if_there_are_other_endpoints() {
    let (readiness, health) = (Readiness::new(), Health::new());
    health.drain();
    let (instance, _) = dying(0, "", &health);
    let other = Endpoint::new("other", echo());
    let balance = Rotation::new().balance(vec![instance, other.clone()], Vec::new());
    let service = WaitReadyLayer::new(readiness.clone(), TIMEOUT).or_elsewhere().layer(balance);
    assert_eq!(send(&service, "hello").await.unwrap().unwrap(), "hello");
    // But the service is wanted.
    assert!(readiness.wanted().now_or_never().is_some());
    // Until they are gone, too.
    other.health().drain();
    let sent = send(&service, "hello");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(readiness.waiting(), 1);
    health.resume();
    readiness.set_ready(true);
    assert_eq!(sent.await.unwrap().unwrap(), "hello");
}
