use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::Unreachable;

/// For how long an endpoint is left alone after its first failure; twice as long after each further one.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// How long a lease without an outcome keeps others away.
const LEASE: Duration = Duration::from_secs(60);

/// What requests have found out about an endpoint. While all is well, it costs one load per request.
///
/// Times are in milliseconds since `since`.
#[derive(Debug)]
pub(super) struct Health {
    since: Instant,
    /// In a row.
    failures: AtomicU32,
    /// When it last failed; meaningless while all is well.
    failed_at: AtomicU64,
    /// Until when a lease is held.
    leased_until: AtomicU64,
    /// Whether it last failed because a connection timed out.
    is_black_hole: AtomicBool,
    /// How to try connecting again, if it last failed because it could not be reached.
    unreachable: Mutex<Option<Unreachable>>,
    /// Keeps workers and nodes that saw the endpoint fail at the same time from returning to it at the same time.
    jitter: RandomState,
}

/// The exclusive right to find out whether an endpoint is well again, given up on drop.
#[derive(Debug)]
pub(super) struct Lease {
    health: Arc<Health>,
    until: u64,
}

impl Health {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            failures: AtomicU32::new(0),
            failed_at: AtomicU64::new(0),
            leased_until: AtomicU64::new(0),
            is_black_hole: AtomicBool::new(false),
            unreachable: Mutex::new(None),
            jitter: RandomState::new(),
        }
    }

    pub(super) fn is_well(&self) -> bool {
        self.failures() == 0
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Whether connections to it time out. They are tried in the background, so that no request has to wait for one.
    pub(super) fn is_black_hole(&self) -> bool {
        !self.is_well() && self.is_black_hole.load(Ordering::Relaxed)
    }

    /// Starts to find out whether a failed endpoint is well again, once it has rested.
    ///
    /// If it could not be reached, a background task connects to it. Otherwise only a request can tell, and gets a
    /// lease. Requests that can be sent elsewhere on failure go first. The others, which would be lost, only get a
    /// lease if none of those has come for the same time again.
    pub(super) fn find_out(this: &Arc<Self>, repeatable: bool) -> Option<Lease> {
        let pause = this.pause();
        if !this.has_rested(pause) {
            return None;
        }
        if this.unreachable().is_some() {
            Self::reconnect(this, pause);
            return None;
        }
        if repeatable || this.has_rested(pause * 2) { Self::lease(this) } else { None }
    }

    /// Connects in the background to an endpoint that could not be reached, after only a second of rest: with no other
    /// endpoint left, its return must be noticed soon.
    pub(super) fn reconnect_soon(this: &Arc<Self>) {
        Self::reconnect(this, FIRST);
    }

    fn reconnect(this: &Arc<Self>, pause: Duration) {
        if !this.has_rested(pause) {
            return;
        }
        let Some(unreachable) = this.unreachable().clone() else { return };
        let Some(lease) = Self::lease(this) else { return };
        tokio::spawn(async move {
            if unreachable.try_again().await {
                lease.succeeded();
            } else {
                lease.failed(Some(unreachable));
            }
        });
    }

    /// The lease, unless it is taken.
    fn lease(this: &Arc<Self>) -> Option<Lease> {
        let (now, last) = (this.now(), this.leased_until.load(Ordering::Relaxed));
        let until = now + millis(LEASE);
        if now < last {
            return None;
        }
        this.leased_until.compare_exchange(last, until, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        Some(Lease { health: Arc::clone(this), until })
    }

    pub(super) fn succeeded(&self) {
        if !self.is_well() {
            self.failures.store(0, Ordering::Relaxed);
            *self.unreachable() = None;
        }
    }

    pub(super) fn failed(&self, lease: Option<&Lease>, unreachable: Option<Unreachable>) {
        let leased_until = self.leased_until.load(Ordering::Relaxed);
        let is_leased = self.now() < leased_until && lease.is_none_or(|lease| lease.until != leased_until);
        // Requests in flight at the same time fail together, and count as one failure.
        if !self.is_well() && (is_leased || (lease.is_none() && !self.has_rested(self.pause()))) {
            return;
        }
        self.is_black_hole.store(unreachable.as_ref().is_some_and(Unreachable::is_timeout), Ordering::Relaxed);
        *self.unreachable() = unreachable;
        // In this order, so that a thread that sees the failure also sees its time.
        self.failed_at.store(self.now(), Ordering::Relaxed);
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    fn has_rested(&self, pause: Duration) -> bool {
        self.now() >= self.failed_at.load(Ordering::Relaxed) + millis(pause)
    }

    /// How long it is left alone after the failures so far, less up to a quarter.
    fn pause(&self) -> Duration {
        let failures = self.failures();
        let pause = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(5)).min(LONGEST);
        let random = u32::try_from(self.jitter.hash_one(failures) % 1024).unwrap_or_default();
        pause - pause / 4 * random / 1024
    }

    fn unreachable(&self) -> MutexGuard<'_, Option<Unreachable>> {
        self.unreachable.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> u64 {
        millis(self.since.elapsed())
    }
}

impl Lease {
    pub(super) fn succeeded(&self) {
        self.health.succeeded();
    }

    pub(super) fn failed(&self, unreachable: Option<Unreachable>) {
        self.health.failed(Some(self), unreachable);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let _ = self.health.leased_until.compare_exchange(self.until, 0, Ordering::Relaxed, Ordering::Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, sleep};

    const INSTANT: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn it_is_left_alone_for_longer_and_longer_and_comes_back() {
        let health = Arc::new(Health::new());
        assert!(health.is_well());
        let mut lease = None;
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            health.failed(lease.as_ref(), None);
            // From a request that was in flight at the time.
            health.failed(None, None);
            drop(lease);
            assert!(!health.is_well());
            let longest = Duration::from_secs(pause);
            advance(longest * 3 / 4 - INSTANT).await;
            assert!(Health::find_out(&health, true).is_none());
            advance(longest / 4 + INSTANT).await;
            lease = Health::find_out(&health, true);
            assert!(lease.is_some(), "{pause}");
        }
        health.succeeded();
        drop(lease);
        assert!(health.is_well());
        health.failed(None, None);
        advance(FIRST).await;
        assert!(Health::find_out(&health, true).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn one_request_at_a_time_gets_the_lease() {
        let health = Arc::new(Health::new());
        health.failed(None, None);
        advance(FIRST).await;
        let first = Health::find_out(&health, true).unwrap();
        assert!(Health::find_out(&health, true).is_none());
        // A lease that is given up goes to the next request.
        drop(first);
        let second = Health::find_out(&health, true).unwrap();
        // So does one without an outcome, after a while.
        advance(LEASE).await;
        let third = Health::find_out(&health, true).unwrap();
        drop(second);
        assert!(Health::find_out(&health, true).is_none());
        health.failed(Some(&third), None);
        drop(third);
        advance(FIRST).await;
        assert!(Health::find_out(&health, true).is_none());
        advance(FIRST).await;
        assert!(Health::find_out(&health, true).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_would_be_lost_gets_the_lease_only_after_twice_the_pause() {
        let health = Arc::new(Health::new());
        health.failed(None, None);
        advance(FIRST).await;
        assert!(Health::find_out(&health, false).is_none());
        advance(FIRST).await;
        assert!(Health::find_out(&health, false).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn an_endpoint_out_of_reach_is_connected_to_without_a_request() {
        let health = Arc::new(Health::new());
        let answers = Arc::new(AtomicBool::new(false));
        let of_probe = Arc::clone(&answers);
        let unreachable = Unreachable::new(true, move || {
            let answers = Arc::clone(&of_probe);
            async move {
                sleep(FIRST / 2).await;
                answers.load(Ordering::Relaxed)
            }
        });
        health.failed(None, Some(unreachable));
        assert!(health.is_black_hole());
        for failures in [1, 2] {
            advance(LONGEST).await;
            for _ in 0..3 {
                assert!(Health::find_out(&health, true).is_none());
            }
            assert_eq!(health.failures(), failures);
            sleep(FIRST).await;
            assert_eq!(health.failures(), failures + 1);
        }
        assert!(health.is_black_hole());
        answers.store(true, Ordering::Relaxed);
        advance(FIRST).await;
        Health::reconnect_soon(&health);
        sleep(FIRST).await;
        assert!(health.is_well() && !health.is_black_hole());
    }

    #[test]
    fn pauses_differ() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let _context = runtime.enter();
        let pauses: Vec<_> = (0..100).map(|_| Health::new()).map(|health| health.pause()).collect();
        assert!(pauses.iter().all(|pause| (FIRST * 3 / 4..=FIRST).contains(pause)));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
