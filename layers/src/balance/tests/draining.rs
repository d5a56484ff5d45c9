//! Endpoints that are drained.

use super::*;
use crate::balance::AllDrained;

/// Sends a request and returns the error.
async fn error_of(balance: &Balance<Endpoint>, method: &str, body: &'static str) -> BoxError {
    balance.clone().oneshot(request(method, body)).await.unwrap_err()
}

/// Does something while a request that takes a second is in flight.
async fn meanwhile<T>(request: impl Future<Output = T>, then: impl FnOnce()) -> T {
    let later = async {
        sleep(Duration::from_millis(500)).await;
        then();
    };
    futures_util::future::join(request, later).await.0
}

/// Records how often it is called, and does what `does` says.
fn counted(name: &'static str, does: Does) -> (endpoints::Endpoint<Endpoint>, Arc<AtomicU32>) {
    let calls = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&calls);
    let service = service_fn(move |request: Sent| {
        count.fetch_add(1, Ordering::Relaxed);
        endpoint(name, does).1.oneshot(request)
    });
    (endpoints::Endpoint::new(name, BoxCloneSyncService::new(service)), calls)
}

#[tokio::test(start_paused = true)]
async fn a_drained_endpoint_gets_no_requests_of_any_kind() {
    let (drained, calls) = counted("drained", Does::Respond);
    let health = drained.health().clone();
    let other = |does| endpoints::Endpoint::new("other", endpoint("other", does).1);
    let balance = |does| Rotation::new().balance(vec![drained.clone(), other(does)], Vec::new()).classify(Classifier);
    // It has failed, so it would be due for a test.
    health.fail();
    health.drain();
    assert!(health.is_drained() && !health.is_healthy() && health.state().is_drained);
    assert_eq!(health.state().outage, None);
    for does in [Does::Respond, Does::RefuseConnections, Does::BreakOff, Does::SayGoodbye] {
        let balance = balance(does);
        for _ in 0..4 {
            let _ = send(&balance, "GET", "").await;
            advance(Duration::from_secs(60)).await;
        }
    }
    assert_eq!(calls.load(Ordering::Relaxed), 0);

    health.resume();
    assert!(!health.is_drained() && health.is_healthy());
    let balance = balance(Does::Respond);
    let mut seen = [send(&balance, "GET", "").await.unwrap(), send(&balance, "GET", "").await.unwrap()];
    seen.sort();
    assert_eq!(seen, ["drained", "other"]);
}

#[tokio::test(start_paused = true)]
async fn the_second_tier_gets_requests_while_the_first_is_drained() {
    let tiers = Tiers::new(&[("first", Does::Respond)], &[("then", Does::Respond)]);
    tiers.first[0].health().drain();
    assert_eq!(tiers.send("POST", "body").await, ok("then"));
    tiers.first[0].health().resume();
    assert_eq!(tiers.send("POST", "body").await, ok("first"));
}

#[tokio::test(start_paused = true)]
async fn if_all_are_drained_the_request_comes_back_unsent() {
    for count in [1, 2, 3] {
        let all: Vec<_> = (0..count).map(|_| counted("a", Does::Respond)).collect();
        let endpoints = all.iter().map(|(endpoint, _)| endpoint.clone()).collect();
        let balance = Rotation::new().balance(endpoints, Vec::new()).classify(Classifier);
        all.iter().for_each(|(endpoint, _)| endpoint.health().drain());
        let mut error = error_of(&balance, "POST", "body").await;
        let drained: &mut AllDrained = error.downcast_mut().unwrap();
        let request = drained.take_request().unwrap();
        assert!(drained.take_request().is_none());
        assert_eq!(request.method(), "POST");
        assert_eq!(request.into_body().collect().await.unwrap().to_bytes(), "body");
        assert!(all.iter().all(|(_, calls)| calls.load(Ordering::Relaxed) == 0));

        all[0].0.health().resume();
        assert_eq!(send(&balance, "POST", "body").await, ok("a"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_drained_endpoint_and_a_black_hole_do_not_count_as_all_drained() {
    let hole = BlackHole::default();
    let balance = balanced([hole.endpoint(), endpoint("up", Does::Respond)]);
    balance.endpoints.health(1).drain();
    // The first request finds out.
    assert!(send(&balance, "GET", "").await.is_err());
    assert!(error_of(&balance, "GET", "").await.is::<AllUnreachable>());
    // A drained black hole is not connected to, even in the background.
    balance.endpoints.health(0).drain();
    hole.waited_for();
    assert!(error_of(&balance, "GET", "").await.is::<AllDrained>());
    sleep(Duration::from_secs(60)).await;
    assert_eq!(hole.waited_for(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_outcome_of_requests_in_flight_does_not_count() {
    let changes = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&changes);
    let health = Health::with_observer(move |_, _| {
        seen.fetch_add(1, Ordering::Relaxed);
    });
    for does in [Does::BreakOff, Does::Respond, Does::BreakOffTheBody, Does::RefuseConnections] {
        let (_, service) = slow("a", Duration::from_secs(1), does);
        let endpoint = endpoints::Endpoint::with_health("a", service, health.clone());
        let balance = Rotation::new().balance(vec![endpoint], Vec::new()).classify(Classifier);
        let _ = meanwhile(send(&balance, "POST", ""), || health.drain()).await;
        assert_eq!((health.is_drained(), health.state().outage), (true, None));
        health.resume();
        assert!(health.is_healthy());
    }
    assert_eq!(changes.load(Ordering::Relaxed), 0);
    // Nor does it count after the endpoint is in use again.
    let (_, service) = slow("a", Duration::from_secs(1), Does::BreakOff);
    let endpoint = endpoints::Endpoint::with_health("a", service, health.clone());
    let balance = Rotation::new().balance(vec![endpoint], Vec::new()).classify(Classifier);
    let drain_and_resume = || {
        health.drain();
        health.resume();
    };
    let _ = meanwhile(send(&balance, "POST", ""), drain_and_resume).await;
    assert!(health.is_healthy());
    health.resume();
    health.fail();
    health.resume();
    assert!(!health.is_healthy(), "resume does not end an outage");
}

#[tokio::test(start_paused = true)]
async fn the_only_endpoint_in_use_is_tried_a_second_time() {
    for (is_drained, expected) in [(true, 2), (false, 1)] {
        let (only, calls) = counted("only", Does::BreakOff);
        let (other, _) = counted("other", Does::Respond);
        let health = other.health().clone();
        let balance = Rotation::new().balance(vec![only, other], Vec::new()).classify(Classifier);
        if is_drained {
            health.drain();
        }
        let _ = send(&balance, "GET", "").await;
        let _ = send(&balance, "GET", "").await;
        // Without it, the other endpoint gets the retry and the second request.
        assert!(calls.load(Ordering::Relaxed) >= expected);
        assert_eq!(calls.load(Ordering::Relaxed) > 1, is_drained);
    }
    // But not if it has been drained in the meantime.
    let (_, service) = slow("a", Duration::from_secs(1), Does::BreakOff);
    let endpoint = endpoints::Endpoint::new("a", service);
    let (health, stats) = (endpoint.health().clone(), Arc::clone(endpoint.stats()));
    let balance = Rotation::new().balance(vec![endpoint], Vec::new()).classify(Classifier);
    let sent = meanwhile(send(&balance, "GET", ""), || health.drain()).await;
    assert_eq!(sent, Err(("a".into(), 1)));
    assert_eq!(stats.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_returns_the_request_if_it_can_be_sent_again() {
    for (does, method, body, expected) in [
        (Does::RefuseConnections, "POST", "body", Some(true)),
        (Does::RefuseConnections, "GET", "", Some(true)),
        (Does::BreakOff, "GET", "", Some(false)),
        (Does::BreakOff, "POST", "", None),
        (Does::Hang, "GET", "", None),
    ] {
        let one = || balanced([endpoint("a", does)]);
        let attempts = Attempts::default();
        let mut sent = request(method, body);
        sent.extensions_mut().insert(attempts.clone());
        let mut error = one().return_requests().oneshot(sent).await.unwrap_err();
        let returned = error.downcast_mut::<EndpointError>().unwrap().take_request();
        assert_eq!(returned.as_ref().map(|(_, is_unsent)| *is_unsent), expected, "{does:?} {method}");
        if let Some((request, _)) = returned {
            // The next balance continues to count.
            assert!(request.extensions().get::<Attempts>().is_some());
            let before = attempts.count();
            assert!(balanced([endpoint("b", Does::Respond)]).oneshot(request).await.is_ok());
            assert_eq!(attempts.count(), before + 1);
        }
        // By default, no error keeps a request.
        let mut error = error_of(&one(), method, body).await;
        assert!(error.downcast_mut::<EndpointError>().unwrap().take_request().is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_one_of_several_attempts_has_sent_counts_as_sent() {
    for (second, expected) in [(Does::RefuseConnections, false), (Does::BreakOff, false)] {
        let both = balanced([endpoint("a", Does::BreakOff), endpoint("b", second)]).return_requests();
        let mut error = both.oneshot(request("GET", "")).await.unwrap_err();
        let error = error.downcast_mut::<EndpointError>().unwrap();
        assert_eq!(error.attempts(), 2);
        assert_eq!(error.take_request().map(|(_, is_unsent)| is_unsent), Some(expected), "{second:?}");
    }
}
