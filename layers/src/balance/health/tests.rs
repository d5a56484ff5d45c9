use std::{
    sync::{
        Barrier,
        atomic::{AtomicBool, AtomicU32},
    },
    thread,
    time::Duration,
};

use tokio::{
    runtime::Builder,
    time::{advance, sleep},
};
use tower::BoxError;

use super::{
    outage::{FIRST_BACKOFF, LEASE, MAX_BACKOFF},
    *,
};

const INSTANT: Duration = Duration::from_millis(1);

impl Health {
    pub(in crate::balance) fn fail(&self) {
        self.fail_under(None);
    }

    fn fail_under(&self, lease: Option<&Lease>) {
        self.failed(self.mark(), lease, Fault::Text(&"refused"), None);
    }

    fn failures(&self) -> u32 {
        self.mark().failures()
    }
}

/// Returns a health, and the changes that its observer receives.
fn watched() -> (Health, Arc<Mutex<Vec<HealthChange>>>) {
    let changes = Arc::<Mutex<Vec<_>>>::default();
    let seen = Arc::clone(&changes);
    let health = Health::with_observer(move |change, _| seen.lock().unwrap().push(change.clone()));
    (health, changes)
}

fn names(changes: &Mutex<Vec<HealthChange>>) -> Vec<&'static str> {
    let name = |change: &HealthChange| match change {
        HealthChange::Failed { .. } => "failed",
        HealthChange::FailedAgain { .. } => "again",
        HealthChange::Recovered { .. } => "recovered",
    };
    changes.lock().unwrap().iter().map(name).collect()
}

#[tokio::test(start_paused = true)]
async fn the_back_off_grows_with_each_failure_until_the_endpoint_recovers() {
    let health = Health::new();
    assert!(health.is_healthy());
    let mut lease = None;
    for backoff in [1, 2, 4, 8, 16, 30, 30] {
        let before = health.mark();
        health.fail_under(lease.as_ref());
        // From requests that were sent before and after the failure.
        health.failed(before, None, Fault::Text(&""), None);
        health.fail();
        drop(lease);
        assert!(!health.is_healthy());
        let longest = Duration::from_secs(backoff);
        advance(longest * 3 / 4 - INSTANT).await;
        assert!(health.start_test(TestTrigger::Repeatable).is_none());
        advance(longest / 4 + INSTANT).await;
        lease = health.start_test(TestTrigger::Repeatable);
        assert!(lease.is_some(), "{backoff}");
    }
    health.succeeded(health.mark());
    drop(lease);
    assert!(health.is_healthy());
    health.fail();
    advance(FIRST_BACKOFF).await;
    assert!(health.start_test(TestTrigger::Repeatable).is_some());
}

#[tokio::test(start_paused = true)]
async fn one_request_at_a_time_gets_the_lease() {
    let health = Health::new();
    health.fail();
    advance(FIRST_BACKOFF).await;
    let first = health.start_test(TestTrigger::Repeatable).unwrap();
    assert!(health.start_test(TestTrigger::Repeatable).is_none());
    // A lease that is given up goes to the next request.
    drop(first);
    let second = health.start_test(TestTrigger::Repeatable).unwrap();
    // So does a lease without an outcome, after a while.
    advance(LEASE).await;
    let third = health.start_test(TestTrigger::Repeatable).unwrap();
    drop(second);
    assert!(health.start_test(TestTrigger::Repeatable).is_none());
    health.fail_under(Some(&third));
    drop(third);
    assert_eq!(health.failures(), 2);
    advance(FIRST_BACKOFF).await;
    assert!(health.start_test(TestTrigger::Repeatable).is_none());
    advance(FIRST_BACKOFF).await;
    assert!(health.start_test(TestTrigger::Repeatable).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_repeated_gets_the_lease_only_after_twice_the_back_off() {
    let health = Health::new();
    health.fail();
    advance(FIRST_BACKOFF).await;
    assert!(health.start_test(TestTrigger::Unrepeatable).is_none());
    advance(FIRST_BACKOFF).await;
    assert!(health.start_test(TestTrigger::Unrepeatable).is_some());
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_endpoint_is_connected_to_without_a_request() {
    let health = Health::new();
    let answers = Arc::new(AtomicBool::new(false));
    let responds = Arc::clone(&answers);
    let unreachable = Unreachable::new(true, move || {
        let answers = Arc::clone(&responds);
        Some(async move {
            sleep(FIRST_BACKOFF / 2).await;
            if answers.load(Ordering::Relaxed) { Ok(()) } else { Err(BoxError::from("timed out again")) }
        })
    });
    health.failed(health.mark(), None, Fault::Text(&"timed out"), Some(unreachable));
    assert!(health.mark().is_black_hole());
    for failures in [1, 2] {
        advance(MAX_BACKOFF).await;
        for _ in 0..3 {
            assert!(health.start_test(TestTrigger::Repeatable).is_none());
        }
        assert_eq!(health.failures(), failures);
        assert!(health.state().outage.unwrap().is_being_tested);
        sleep(FIRST_BACKOFF).await;
        assert_eq!(health.failures(), failures + 1);
        assert_eq!(&*health.state().last_failure.unwrap().error, "timed out again");
    }
    assert!(health.mark().is_black_hole());
    answers.store(true, Ordering::Relaxed);
    advance(FIRST_BACKOFF).await;
    assert!(health.start_test(TestTrigger::LastResort).is_none());
    sleep(FIRST_BACKOFF).await;
    assert!(health.is_healthy() && !health.mark().is_black_hole());
}

#[tokio::test(start_paused = true)]
async fn a_request_tests_the_endpoint_once_its_pool_has_been_dropped() {
    let health = Health::new();
    let pool = Arc::new(());
    let weak = Arc::downgrade(&pool);
    let unreachable = Unreachable::new(true, move || {
        let pool = weak.upgrade()?;
        Some(async move {
            let _held = pool;
            Ok(())
        })
    });
    health.failed(health.mark(), None, Fault::Text(&""), Some(unreachable));
    drop(pool);
    advance(FIRST_BACKOFF).await;
    assert!(health.start_test(TestTrigger::Repeatable).is_none());
    tokio::task::yield_now().await;
    assert!(!health.mark().is_black_hole());
    assert_eq!(health.failures(), 1);
    assert!(health.start_test(TestTrigger::Repeatable).is_some());
}

#[test]
fn a_worker_that_has_shut_down_does_not_keep_the_lease() {
    let worker = || Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    for ends_before in [true, false] {
        let (old, new) = (worker(), worker());
        let health = old.block_on(async {
            let health = Health::new();
            let unreachable = Unreachable::new(true, || Some(std::future::pending()));
            health.failed(health.mark(), None, Fault::Text(&""), Some(unreachable));
            health
        });
        let mut old = Some(old);
        let mut ends = |ends: bool| old.take_if(|_| ends).map(tokio::runtime::Runtime::shutdown_background);
        new.block_on(async {
            advance(MAX_BACKOFF).await;
            ends(ends_before);
            assert!(health.start_test(TestTrigger::Repeatable).is_none());
            assert_eq!(health.state().outage.unwrap().is_being_tested, !ends_before);
            ends(true);
            assert!(!health.state().outage.unwrap().is_being_tested);
            assert!(health.start_test(TestTrigger::Repeatable).is_some());
        });
    }
}

#[test]
fn the_thread_of_the_pool_reconnects_even_if_another_thread_asks() {
    let (health, changes) = watched();
    let (failed, has_failed) = std::sync::mpsc::channel();
    let (connected, has_connected) = tokio::sync::oneshot::channel();
    thread::scope(|scope| {
        let pool_thread = scope.spawn(|| {
            let runtime = Builder::new_current_thread().enable_time().build().unwrap();
            runtime.block_on(async {
                let connected = Arc::new(Mutex::new(Some(connected)));
                let unreachable = Unreachable::new(false, move || {
                    let connected = Arc::clone(&connected);
                    Some(async move {
                        let connected = connected.lock().unwrap().take().unwrap();
                        connected.send(thread::current().id()).unwrap();
                        Ok(())
                    })
                });
                health.failed(health.mark(), None, Fault::Text(&""), Some(unreachable));
                failed.send(()).unwrap();
                let connecting_thread = has_connected.await.unwrap();
                assert_eq!(connecting_thread, thread::current().id());
                // The task that connects has one more step to go.
                while !health.is_healthy() {
                    tokio::task::yield_now().await;
                }
            });
        });
        has_failed.recv().unwrap();
        let other = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        other.block_on(async {
            advance(MAX_BACKOFF).await;
            assert!(health.start_test(TestTrigger::Repeatable).is_none());
        });
        pool_thread.join().unwrap();
    });
    assert_eq!(names(&changes), ["failed", "recovered"]);
}

#[tokio::test(start_paused = true)]
async fn only_requests_sent_after_the_last_change_count() {
    let (health, changes) = watched();
    let before = health.mark();
    health.fail();
    // A response to a request that was sent before the failure, as from an endpoint that is shutting down.
    health.succeeded(before);
    assert!(!health.is_healthy());
    let while_down = health.mark();
    health.succeeded(while_down);
    assert!(health.is_healthy());
    // Requests that were sent before the recovery time out long after it.
    advance(MAX_BACKOFF).await;
    health.failed(before, None, Fault::Text(&""), None);
    health.failed(while_down, None, Fault::Text(&""), None);
    assert!(health.is_healthy());
    assert_eq!(names(&changes), ["failed", "recovered"]);
}

#[tokio::test(start_paused = true)]
async fn the_observer_and_the_state_agree() {
    let (health, changes) = watched();
    let second = Duration::from_secs(1);
    advance(second * 5).await;
    let state = health.state();
    assert_eq!((state.outage, state.unchanged_for, state.last_failure), (None, second * 5, None));

    health.fail();
    let HealthChange::Failed { error, backoff } = changes.lock().unwrap().remove(0) else { panic!("not failed") };
    assert_eq!(&*error, "refused");
    advance(backoff / 2).await;
    let outage = health.state().outage.unwrap();
    assert_eq!((outage.failures, outage.is_being_tested), (1, false));
    // Both are rounded to milliseconds.
    assert!(outage.backoff_left.abs_diff(backoff / 2) <= INSTANT * 2, "{outage:?}");
    advance(backoff).await;
    assert_eq!(health.state().outage.unwrap().backoff_left, Duration::ZERO);

    health.fail();
    let change = changes.lock().unwrap().remove(0);
    assert!(matches!(change, HealthChange::FailedAgain { failures: 2, .. }), "{change:?}");
    advance(second).await;
    let unchanged_for = health.state().unchanged_for;
    assert!(unchanged_for > second, "the outage began with the first failure");

    health.succeeded(health.mark());
    assert_eq!(changes.lock().unwrap()[..], [HealthChange::Recovered { down_for: unchanged_for, failures: 2 }]);
    advance(second * 300).await;
    let state = health.state();
    assert_eq!((state.outage, state.unchanged_for), (None, second * 300));
    let last = state.last_failure.unwrap();
    assert_eq!((&*last.error, last.ago), ("refused", second * 301));
}

#[tokio::test]
async fn the_observer_can_read_the_state() {
    let place = Arc::new(std::sync::OnceLock::<Health>::new());
    let (known, seen) = (Arc::clone(&place), Arc::new(AtomicU32::new(0)));
    let failures = Arc::clone(&seen);
    let health = Health::with_observer(move |_, _| {
        let outage = known.get().unwrap().state().outage.unwrap();
        seen.store(outage.failures, Ordering::Relaxed);
    });
    place.set(health.clone()).unwrap();
    health.fail();
    assert_eq!(failures.load(Ordering::Relaxed), 1);
}

#[test]
fn a_change_that_several_threads_see_is_reported_once() {
    const THREADS: usize = 4;
    let (health, changes) = watched();
    let barrier = Barrier::new(THREADS);
    let rounds = 200;
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let runtime = Builder::new_current_thread().enable_time().build().unwrap();
                runtime.block_on(async {
                    for _ in 0..rounds {
                        let began = health.mark();
                        barrier.wait();
                        health.failed(began, None, Fault::Text(&"refused"), None);
                        let began = health.mark();
                        barrier.wait();
                        health.succeeded(began);
                        barrier.wait();
                    }
                });
            });
        }
    });
    assert_eq!(names(&changes), ["failed", "recovered"].repeat(rounds));
}

#[test]
fn one_of_several_threads_gets_the_lease() {
    const THREADS: usize = 4;
    let health = Health::new();
    let leases = AtomicU32::new(0);
    let barrier = Barrier::new(THREADS);
    health.fail();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
                runtime.block_on(async {
                    advance(MAX_BACKOFF).await;
                    for _ in 0..200 {
                        barrier.wait();
                        let lease = health.start_test(TestTrigger::Repeatable);
                        leases.fetch_add(u32::from(lease.is_some()), Ordering::Relaxed);
                        barrier.wait();
                        drop(lease);
                    }
                });
            });
        }
    });
    assert_eq!(leases.load(Ordering::Relaxed), 200);
}

#[test]
fn back_offs_differ() {
    let backoffs: Vec<_> = (0..100).map(|_| backoff(1, &RandomState::new())).collect();
    assert!(backoffs.iter().all(|backoff| (FIRST_BACKOFF * 3 / 4..=FIRST_BACKOFF).contains(backoff)));
    assert!(backoffs.iter().any(|backoff| *backoff != backoffs[0]));
}
