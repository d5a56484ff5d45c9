//! Endpoints that fail in every possible way.

mod draining;

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use tokio::time::{advance, sleep};
use tower::{BoxError, ServiceExt, service_fn, util::BoxCloneSyncService};

use super::{
    AllUnreachable, Attempts, Balance, Classify, EndpointError, Failure, Health, HealthChange, NoEndpoint, Rotation,
    Unreachable, endpoints,
};
use crate::body::RequestBody;

type Sent = Request<RequestBody>;
type Body = BoxBody<Bytes, BoxError>;
type Endpoint = BoxCloneSyncService<Sent, Response<Body>, Error>;

#[derive(Debug, thiserror::Error)]
#[error("failed")]
struct Error {
    unsent: Option<Sent>,
    does: Does,
    unreachable: Option<Unreachable>,
}

impl Error {
    fn new(does: Does) -> Self {
        Self { unsent: None, does, unreachable: None }
    }
}

/// Classifies the errors of these endpoints.
struct Classifier;

impl Classify for Classifier {
    fn error(&self, error: &mut BoxError) -> Failure {
        let error: &mut Error = error.downcast_mut().unwrap();
        let mut failure = match error.does {
            Does::BlameTheClient => Failure::new().blameless(),
            Does::SayGoodbye => Failure::new().blameless().unprocessed(),
            Does::Hang => Failure::new().no_retry(),
            _ => Failure::new(),
        };
        if let Some(request) = error.unsent.take() {
            failure = failure.unsent_request(request);
        }
        match &error.unreachable {
            Some(unreachable) => failure.unreachable(unreachable.clone()),
            None => failure,
        }
    }
}

fn balanced(endpoints: impl IntoIterator<Item = (&'static str, Endpoint)>) -> Balance<Endpoint> {
    Balance::new(endpoints).classify(Classifier)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Respond,
    RefuseConnections,
    BreakOff,
    BreakOffTheBody,
    Hang,
    SayGoodbye,
    BlameTheClient,
}

const TIMEOUT: Duration = Duration::from_secs(60);

fn endpoint(name: &'static str, does: Does) -> (&'static str, Endpoint) {
    let service = service_fn(move |request: Sent| async move {
        let body: Body = match does {
            Does::Respond => Full::from(name).map_err(|never| match never {}).boxed(),
            Does::BreakOffTheBody => {
                let broken = futures_util::stream::iter([Err::<Frame<Bytes>, BoxError>("broken".into())]);
                BodyExt::boxed(StreamBody::new(broken))
            }
            Does::Hang => {
                sleep(TIMEOUT).await;
                return Err(Error::new(does));
            }
            Does::RefuseConnections => return Err(Error { unsent: Some(request), ..Error::new(does) }),
            _ => {
                request.into_body().collect().await.unwrap();
                return Err(Error::new(does));
            }
        };
        Ok(Response::new(body))
    });
    (name, BoxCloneSyncService::new(service))
}

/// An endpoint whose connections time out until it is back.
#[derive(Clone, Default)]
struct BlackHole {
    is_back: Arc<AtomicBool>,
    waited_for: Arc<AtomicU32>,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

impl BlackHole {
    async fn connect(&self) -> Result<(), BoxError> {
        if !self.is_back() {
            sleep(CONNECT_TIMEOUT).await;
        }
        if self.is_back() { Ok(()) } else { Err("timed out".into()) }
    }

    fn is_back(&self) -> bool {
        self.is_back.load(Ordering::Relaxed)
    }

    /// Returns how many requests have waited for it since the last call.
    fn waited_for(&self) -> u32 {
        self.waited_for.swap(0, Ordering::Relaxed)
    }

    fn endpoint(&self) -> (&'static str, Endpoint) {
        let hole = self.clone();
        let service = service_fn(move |request: Sent| {
            let hole = hole.clone();
            async move {
                hole.waited_for.fetch_add(1, Ordering::Relaxed);
                if hole.connect().await.is_ok() {
                    let body: Body = Full::from("back").map_err(|never| match never {}).boxed();
                    return Ok(Response::new(body));
                }
                let connect = move || {
                    let hole = hole.clone();
                    Some(async move { hole.connect().await })
                };
                let unreachable = Some(Unreachable::new(true, connect));
                Err(Error { unsent: Some(request), unreachable, ..Error::new(Does::RefuseConnections) })
            }
        });
        ("hole", BoxCloneSyncService::new(service))
    }
}

fn request(method: &str, body: &'static str) -> Request<BoxBody<Bytes, Infallible>> {
    Request::builder().method(method).body(Full::from(body).boxed()).unwrap()
}

/// Returns the name of the endpoint that responded, or else the name of the last endpoint and the number of attempts.
async fn send(balance: &Balance<Endpoint>, method: &str, body: &'static str) -> Result<String, (String, u32)> {
    match balance.clone().oneshot(request(method, body)).await {
        Ok(response) => Ok(match response.into_body().collect().await {
            Ok(body) => String::from_utf8(body.to_bytes().to_vec()).unwrap(),
            Err(_) => "broken".into(),
        }),
        Err(error) => {
            let failed: &EndpointError = error.downcast_ref().unwrap();
            assert!(failed.cause().is::<Error>());
            Err((failed.endpoint().into(), failed.attempts()))
        }
    }
}

fn ok(name: &str) -> Result<String, (String, u32)> {
    Ok(name.into())
}

#[tokio::test]
async fn endpoints_take_turns() {
    let balance = balanced(["a", "b"].map(|name| endpoint(name, Does::Respond)));
    for expected in ["a", "b", "a", "b"] {
        assert_eq!(send(&balance, "GET", "").await, ok(expected));
    }
}

#[tokio::test(start_paused = true)]
async fn the_other_endpoints_share_the_turns_of_a_failed_one() {
    let balance = balanced([
        endpoint("a", Does::Respond),
        endpoint("down", Does::RefuseConnections),
        endpoint("b", Does::Respond),
    ]);
    while balance.endpoints.health(1).is_healthy() {
        send(&balance, "GET", "").await.unwrap();
    }
    let mut seen = Vec::new();
    for _ in 0..6 {
        seen.push(send(&balance, "GET", "").await.unwrap());
    }
    seen.sort();
    assert_eq!(seen, ["a", "a", "a", "b", "b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn unsent_requests_are_always_retried() {
    let balance = balanced([endpoint("down", Does::RefuseConnections), endpoint("up", Does::Respond)]);
    for _ in 0..5 {
        assert_eq!(send(&balance, "POST", "body").await, ok("up"));
        advance(TIMEOUT).await;
    }
}

#[tokio::test(start_paused = true)]
async fn repeatable_requests_are_retried_at_a_healthy_endpoint() {
    for (does, method, body, is_retried) in [
        (Does::BreakOff, "GET", "", true),
        (Does::BreakOff, "DELETE", "", true),
        (Does::BreakOff, "POST", "", false),
        (Does::BreakOff, "POST", "body", false),
        // With a classifier, short bodies are kept for a retry.
        (Does::BreakOff, "PUT", "body", true),
        // There is no time left.
        (Does::Hang, "GET", "", false),
        (Does::Hang, "POST", "", false),
        (Does::Hang, "PUT", "body", false),
        (Does::SayGoodbye, "GET", "", true),
        (Does::SayGoodbye, "POST", "", true),
        (Does::SayGoodbye, "POST", "body", true),
    ] {
        let balance = balanced([endpoint("bad", does), endpoint("up", Does::Respond)]);
        let expected = if is_retried { ok("up") } else { Err(("bad".into(), 1)) };
        assert_eq!(send(&balance, method, body).await, expected, "{does:?} {method} {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_repeatable_request_is_lost_while_one_endpoint_responds() {
    let bad = [Does::RefuseConnections, Does::BreakOff, Does::SayGoodbye];
    let endpoints = bad.map(|does| endpoint("bad", does)).into_iter().chain([endpoint("up", Does::Respond)]);
    let balance = balanced(endpoints);
    // Many at once, far more than the budget, before the balance knows of any failure.
    let all: Vec<_> = (0..500).map(|_| send(&balance, "GET", "")).collect();
    for sent in futures_util::future::join_all(all).await {
        assert_eq!(sent, ok("up"));
    }
    for _ in 0..500 {
        assert_eq!(send(&balance, "GET", "").await, ok("up"));
        advance(Duration::from_millis(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_waits_for_a_single_response_timeout() {
    for names in [&["a", "b", "c"][..], &["alone"]] {
        let balance = balanced(names.iter().map(|name| endpoint(name, Does::Hang)));
        let start = tokio::time::Instant::now();
        assert_eq!(send(&balance, "GET", "").await.unwrap_err().1, 1);
        assert_eq!(start.elapsed(), TIMEOUT);
    }
}

#[tokio::test(start_paused = true)]
async fn one_request_at_a_time_waits_for_an_endpoint_that_hangs() {
    let balance = balanced([endpoint("hangs", Does::Hang), endpoint("up", Does::Respond)]);
    assert_eq!(send(&balance, "GET", "").await, Err(("hangs".into(), 1)));
    for pause in [1, 2, 4] {
        advance(Duration::from_secs(pause)).await;
        let mut probe = Box::pin(send(&balance, "GET", ""));
        // One of the first two requests tests the endpoint.
        let mut waiting = u32::from((&mut probe).now_or_never().is_none());
        for _ in 0..10 {
            // A request that could not be sent again is not put at risk.
            assert_eq!(send(&balance, "POST", "").now_or_never(), Some(ok("up")));
            let mut other = Box::pin(send(&balance, "GET", ""));
            if (&mut other).now_or_never().is_none() {
                waiting += 1;
                probe = other;
            }
        }
        assert_eq!(waiting, 1);
        let start = tokio::time::Instant::now();
        assert_eq!(probe.await, ok("up"));
        assert_eq!(start.elapsed(), Duration::from_millis(250));
    }
}

#[tokio::test(start_paused = true)]
async fn requests_with_an_unsafe_method_are_never_at_two_endpoints_at_once() {
    for (method, expected) in [("GET", ok("up")), ("DELETE", Err(("hangs".into(), 1)))] {
        let balance = balanced([endpoint("hangs", Does::Hang), endpoint("up", Does::Respond)]);
        balance.endpoints.health(0).fail();
        advance(Duration::from_secs(2)).await;
        assert_eq!(send(&balance, method, "").await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn when_a_probe_is_cancelled_another_request_takes_over() {
    let balance = balanced([endpoint("hangs", Does::Hang), endpoint("up", Does::Respond)]);
    assert_eq!(send(&balance, "GET", "").await, Err(("hangs".into(), 1)));
    advance(Duration::from_secs(1)).await;
    for _ in 0..3 {
        let both = [(); 2].map(|()| Box::pin(send(&balance, "GET", "")));
        let hanging = both.into_iter().filter_map(|sent| sent.now_or_never().is_none().then_some(())).count();
        assert_eq!(hanging, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_is_blamed_only_for_its_own_failures() {
    for (does, method, body, blamed) in [
        (Does::BreakOff, "POST", "body", true),
        (Does::Hang, "POST", "", true),
        (Does::RefuseConnections, "GET", "", true),
        (Does::BreakOffTheBody, "GET", "", true),
        // The client may have broken off the request.
        (Does::BreakOffTheBody, "POST", "body", false),
        (Does::SayGoodbye, "GET", "", false),
        (Does::BlameTheClient, "POST", "body", false),
        (Does::Respond, "GET", "", false),
    ] {
        let balance = balanced([endpoint("first", does)]);
        let _ = send(&balance, method, body).await;
        assert_eq!(!balance.endpoints.health(0).is_healthy(), blamed, "{does:?} {method}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_healthy_endpoint_the_budget_limits_retries() {
    let balance = balanced([endpoint("a", Does::BreakOff), endpoint("b", Does::BreakOff)]);
    let mut tries = 0;
    for _ in 0..1000 {
        tries += send(&balance, "GET", "").await.unwrap_err().1;
    }
    assert!((1200..1250).contains(&tries), "{tries}");
}

#[tokio::test(start_paused = true)]
async fn when_all_have_failed_all_are_tried_starting_with_the_fewest_failures() {
    let balance = balanced([endpoint("bad", Does::Hang), endpoint("less", Does::BreakOffTheBody)]);
    for _ in 0..3 {
        balance.endpoints.health(0).fail();
        advance(TIMEOUT).await;
    }
    balance.endpoints.health(0).fail();
    for _ in 0..4 {
        assert_eq!(send(&balance, "POST", "").await, ok("broken"));
    }

    let down = || endpoint("down", Does::RefuseConnections);
    let balance = balanced([down(), down(), down()]);
    for _ in 0..3 {
        assert_eq!(send(&balance, "POST", "body").await, Err(("down".into(), 3)));
    }
    // The endpoint may have closed an idle connection, so it is tried again.
    let alone = balanced([endpoint("alone", Does::BreakOff)]);
    assert_eq!(send(&alone, "GET", "").await, Err(("alone".into(), 2)));
}

#[tokio::test]
async fn attempts_are_noted_even_if_the_request_is_cancelled() {
    let balance = balanced([endpoint("down", Does::RefuseConnections), endpoint("hangs", Does::Hang)]);
    let (attempts, mut request) = (Attempts::default(), request("GET", ""));
    request.extensions_mut().insert(attempts.clone());
    assert_eq!((attempts.endpoint(), attempts.count()), (None, 0));
    assert!(balance.oneshot(request).now_or_never().is_none());
    assert_eq!((attempts.endpoint(), attempts.count()), (Some("hangs"), 2));
}

#[tokio::test]
async fn a_balance_without_endpoints_returns_an_error() {
    let none: [(&str, Endpoint); 0] = [];
    assert!(balanced(none).oneshot(request("GET", "")).await.unwrap_err().is::<NoEndpoint>());
}

/// Creates a balance for each request, with endpoints that come first and endpoints that come after them.
struct Tiers {
    rotation: Rotation,
    first: Vec<endpoints::Endpoint<Endpoint>>,
    then: Vec<endpoints::Endpoint<Endpoint>>,
}

impl Tiers {
    fn new(first: &[(&'static str, Does)], then: &[(&'static str, Does)]) -> Self {
        let endpoints = |all: &[(&'static str, Does)]| {
            let named = |(name, does): &(&'static str, Does)| endpoints::Endpoint::new(*name, endpoint(name, *does).1);
            all.iter().map(named).collect()
        };
        Self { rotation: Rotation::new(), first: endpoints(first), then: endpoints(then) }
    }

    async fn send(&self, method: &str, body: &'static str) -> Result<String, (String, u32)> {
        send(&self.rotation.balance(self.first.clone(), self.then.clone()).classify(Classifier), method, body).await
    }
}

#[tokio::test(start_paused = true)]
async fn the_second_tier_gets_requests_only_if_the_first_fails() {
    let well = Tiers::new(&[("a", Does::Respond), ("b", Does::Respond)], &[("then", Does::Respond)]);
    for expected in ["a", "b", "a", "b"] {
        assert_eq!(well.send("GET", "").await, ok(expected));
    }
    let none = Tiers::new(&[], &[("a", Does::Respond), ("b", Does::Respond)]);
    for expected in ["a", "b", "a", "b"] {
        assert_eq!(none.send("GET", "").await, ok(expected));
    }

    let down = Tiers::new(&[("down", Does::RefuseConnections)], &[("then", Does::Respond)]);
    assert_eq!(down.send("POST", "body").await, ok("then"));
    let hangs = Tiers::new(&[("hangs", Does::Hang)], &[("then", Does::Respond)]);
    assert_eq!(hangs.send("GET", "").await, Err(("hangs".into(), 1)));
    // The next balance knows of the failure. One request tests whether the endpoint has recovered.
    assert_eq!(hangs.send("GET", "").now_or_never(), Some(ok("then")));
    advance(Duration::from_secs(1)).await;
    let mut probe = Box::pin(hangs.send("GET", ""));
    assert_eq!((&mut probe).now_or_never(), None);
    assert_eq!(hangs.send("GET", "").now_or_never(), Some(ok("then")));
    assert_eq!(probe.await, ok("then"));
}

#[tokio::test(start_paused = true)]
async fn a_retry_goes_to_a_healthy_endpoint_of_the_first_tier_if_there_is_one() {
    for _ in 0..4 {
        let tiers = Tiers::new(&[("bad", Does::BreakOff), ("up", Does::Respond)], &[("then", Does::Respond)]);
        for _ in 0..4 {
            assert_eq!(tiers.send("GET", "").await, ok("up"));
        }
    }
    let tiers = Tiers::new(&[("bad", Does::BreakOff), ("worse", Does::BreakOff)], &[("then", Does::Respond)]);
    for _ in 0..4 {
        assert_eq!(tiers.send("GET", "").await, ok("then"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_responds_late_during_its_trial_recovers() {
    let slow = service_fn(async |_: Sent| {
        sleep(TIMEOUT).await;
        let body: Body = Full::from("slow").map_err(|never| match never {}).boxed();
        Ok(Response::new(body))
    });
    let slow = || BoxCloneSyncService::new(slow);
    let balance = balanced([("one", slow()), ("two", slow())]);
    balance.endpoints.health(0).fail();
    advance(Duration::from_secs(1)).await;
    assert_eq!(send(&balance, "GET", "").await, ok("slow"));
    assert!(balance.endpoints.health(0).is_healthy());
}

#[tokio::test(start_paused = true)]
async fn no_request_waits_for_an_endpoint_that_is_known_to_be_unreachable() {
    let hole = BlackHole::default();
    let balance = balanced([hole.endpoint(), endpoint("up", Does::Respond)]);
    assert_eq!(send(&balance, "POST", "body").await, ok("up"));
    assert_eq!(hole.waited_for(), 1);
    for _ in 0..100 {
        assert_eq!(send(&balance, "GET", "").now_or_never(), Some(ok("up")));
        sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(hole.waited_for(), 0);
    // A background connection notices.
    hole.is_back.store(true, Ordering::Relaxed);
    sleep(TIMEOUT).await;
    assert_eq!(send(&balance, "GET", "").await, ok("up"));
    sleep(Duration::from_millis(1)).await;
    assert_eq!(hole.waited_for(), 0);
    let mut seen = [send(&balance, "GET", "").await.unwrap(), send(&balance, "GET", "").await.unwrap()];
    seen.sort();
    assert_eq!(seen, ["back", "up"]);
}

#[tokio::test(start_paused = true)]
async fn when_all_are_unreachable_requests_fail_at_once_and_a_recovery_is_noticed_soon() {
    let holes = [(); 3].map(|()| BlackHole::default());
    let balance = balanced(holes.iter().map(BlackHole::endpoint));
    let start = tokio::time::Instant::now();
    assert_eq!(send(&balance, "GET", "").await, Err(("hole".into(), 3)));
    assert_eq!(start.elapsed(), CONNECT_TIMEOUT * 3);
    let send_one = || balance.clone().oneshot(request("POST", "body"));
    for _ in 0..100 {
        let error = send_one().now_or_never().unwrap().unwrap_err();
        assert!(error.is::<AllUnreachable>());
        sleep(Duration::from_millis(500)).await;
    }
    holes[1].is_back.store(true, Ordering::Relaxed);
    // Enough for an attempt in progress and the second after it.
    for _ in 0..5 {
        let _ = send_one().await;
        sleep(Duration::from_millis(500)).await;
    }
    for _ in 0..4 {
        assert_eq!(send(&balance, "GET", "").now_or_never(), Some(ok("back")));
    }

    // A single endpoint is always tried.
    let alone = balanced([BlackHole::default().endpoint()]);
    for _ in 0..3 {
        assert_eq!(send(&alone, "GET", "").await, Err(("hole".into(), 1)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_at_most_four_connections() {
    let balance = balanced((0..6).map(|_| BlackHole::default().endpoint()));
    assert_eq!(send(&balance, "GET", "").await, Err(("hole".into(), 4)));
}

#[tokio::test(start_paused = true)]
async fn when_all_refuse_connections_each_request_makes_two_attempts_in_the_long_run() {
    let balance = balanced([(); 4].map(|()| endpoint("down", Does::RefuseConnections)));
    let mut tries = 0;
    for _ in 0..1000 {
        tries += send(&balance, "POST", "body").await.unwrap_err().1;
    }
    assert!((2000..2060).contains(&tries), "{tries}");
}

#[tokio::test(start_paused = true)]
async fn retries_do_not_use_up_turns() {
    // Both endpoints get first attempts.
    let balance = balanced([endpoint("goodbye", Does::SayGoodbye), endpoint("up", Does::Respond)]);
    for expected in [2, 1, 2, 1] {
        let (attempts, mut request) = (Attempts::default(), request("GET", ""));
        request.extensions_mut().insert(attempts.clone());
        balance.clone().oneshot(request).await.unwrap();
        assert_eq!(attempts.count(), expected);
    }
    // The first tier does not use up turns of the second.
    let tiers = Tiers::new(&[("down", Does::RefuseConnections)], &[("a", Does::Respond), ("b", Does::Respond)]);
    tiers.send("GET", "").await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(tiers.send("GET", "").await.unwrap());
    }
    seen.sort();
    assert_eq!(seen, ["a", "a", "b", "b"]);
}

/// Creates two balances that share an endpoint, as two workers or two configurations do.
fn sharing(health: &Health, does: [Does; 2]) -> [Balance<Endpoint>; 2] {
    does.map(|does| {
        let shared = endpoints::Endpoint::with_health("shared", endpoint("shared", does).1, health.clone());
        let other = endpoints::Endpoint::new("other", endpoint("other", Does::Respond).1);
        Rotation::new().balance(vec![shared, other], Vec::new()).classify(Classifier)
    })
}

#[tokio::test(start_paused = true)]
async fn balances_share_the_health_of_an_endpoint() {
    let health = Health::new();
    let [old, new] = sharing(&health, [Does::BreakOff, Does::Respond]);
    assert_eq!(send(&old, "GET", "").await, ok("other"));
    for _ in 0..4 {
        assert_eq!(send(&new, "GET", "").await, ok("other"));
    }
    advance(Duration::from_secs(1)).await;
    let mut seen = [send(&new, "GET", "").await.unwrap(), send(&new, "GET", "").await.unwrap()];
    seen.sort();
    assert_eq!(seen, ["other", "shared"]);
    assert!(old.endpoints.health(0).is_healthy());
}

#[tokio::test(start_paused = true)]
async fn a_single_endpoint_fails_once_and_recovers_once() {
    let (down, log) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(Vec::new())));
    let (lines, is_down) = (Arc::clone(&log), Arc::clone(&down));
    let health = Health::with_observer(move |change, _| match change {
        HealthChange::Failed { error, .. } => lines.lock().unwrap().push(error.to_string()),
        HealthChange::Recovered { .. } => lines.lock().unwrap().push("recovered".to_owned()),
        _ => {}
    });
    let service = service_fn(move |request: Sent| {
        let does = if is_down.load(Ordering::Relaxed) { Does::BreakOff } else { Does::Respond };
        endpoint("alone", does).1.oneshot(request)
    });
    let endpoint = endpoints::Endpoint::with_health("alone", BoxCloneSyncService::new(service), health);
    let stats = Arc::clone(endpoint.stats());
    let balance = Rotation::new().balance(vec![endpoint], Vec::new()).classify(Classifier);
    assert_eq!(stats.since_first_request(), None);
    for _ in 0..10 {
        send(&balance, "POST", "body").await.unwrap_err();
    }
    assert_eq!(stats.since_first_request(), Some(Duration::ZERO));
    assert_eq!(*log.lock().unwrap(), ["failed"]);
    down.store(false, Ordering::Relaxed);
    for _ in 0..10 {
        assert_eq!(send(&balance, "POST", "body").await, ok("alone"));
    }
    assert_eq!(*log.lock().unwrap(), ["failed", "recovered"]);
    assert_eq!((stats.requests(), stats.failures()), (20, 10));
}

#[tokio::test(start_paused = true)]
async fn each_attempt_and_each_failure_of_the_endpoint_is_counted() {
    for (does, method, requests, failures) in [
        (Does::Respond, "GET", 1, 0),
        (Does::BreakOff, "POST", 1, 1),
        // It is tried again.
        (Does::BreakOff, "GET", 2, 2),
        (Does::BreakOffTheBody, "GET", 1, 1),
        (Does::BlameTheClient, "POST", 1, 0),
    ] {
        let counted = endpoints::Endpoint::new("a", endpoint("a", does).1);
        let stats = Arc::clone(counted.stats());
        let _ = send(&Rotation::new().balance(vec![counted], Vec::new()).classify(Classifier), method, "").await;
        assert_eq!((stats.requests(), stats.failures()), (requests, failures), "{does:?} {method}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_failure_names_a_response_that_broke_off() {
    let endpoint = endpoints::Endpoint::new("a", endpoint("a", Does::BreakOffTheBody).1);
    let health = endpoint.health().clone();
    assert_eq!(send(&Rotation::new().balance(vec![endpoint], Vec::new()), "GET", "").await, ok("broken"));
    assert_eq!(&*health.state().last_failure.unwrap().error, "the response broke off: broken");
}

/// An endpoint that responds or breaks off after `takes`.
fn slow(name: &'static str, takes: Duration, does: Does) -> (&'static str, Endpoint) {
    let service = service_fn(move |request: Sent| async move {
        sleep(takes).await;
        endpoint(name, does).1.oneshot(request).await
    });
    (name, BoxCloneSyncService::new(service))
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_always_slower_than_others_comes_back() {
    let balance = balanced([slow("slow", SECOND, Does::Respond), endpoint("up", Does::Respond)]);
    balance.endpoints.health(0).fail();
    advance(SECOND).await;
    let start = tokio::time::Instant::now();
    assert_eq!(send(&balance, "GET", "").await, ok("up"));
    assert_eq!(start.elapsed(), Duration::from_millis(250));
    assert!(!balance.endpoints.health(0).is_healthy());
    sleep(SECOND).await;
    assert!(balance.endpoints.health(0).is_healthy());
}

#[tokio::test(start_paused = true)]
async fn the_response_of_a_trial_is_used_if_the_other_endpoint_breaks_off() {
    let ms = Duration::from_millis;
    for (on_trial, does, other, expected) in [
        // It responds before the other one breaks off, and after that.
        (ms(500), Does::Respond, ms(750), Ok("on trial")),
        (ms(1500), Does::Respond, ms(750), Ok("on trial")),
        // Both break off.
        (ms(500), Does::BreakOff, ms(750), Err("other")),
        (ms(1500), Does::BreakOff, ms(750), Err("other")),
    ] {
        let balance = balanced([slow("on trial", on_trial, does), slow("other", other, Does::BreakOff)]);
        balance.endpoints.health(0).fail();
        advance(SECOND).await;
        let (attempts, mut request) = (Attempts::default(), request("GET", ""));
        request.extensions_mut().insert(attempts.clone());
        let start = tokio::time::Instant::now();
        let response = balance.clone().oneshot(request).await;
        let result = response
            .as_ref()
            .map(|_| "on trial")
            .map_err(|error| error.downcast_ref::<EndpointError>().unwrap().endpoint());
        assert_eq!(result, expected, "{on_trial:?}");
        assert_eq!(start.elapsed(), on_trial.max(ms(250) + other), "{on_trial:?}");
        assert_eq!(attempts.endpoint(), Some(expected.unwrap_or("other")));
        assert_eq!(balance.endpoints.health(0).is_healthy(), expected.is_ok());
        assert!(!balance.endpoints.health(1).is_healthy());
    }
}
