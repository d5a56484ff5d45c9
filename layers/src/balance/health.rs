use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// For how long an endpoint is left alone after its first failure; twice as long after each further one.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// For how long a probe without an outcome keeps others away.
const LEASE: Duration = Duration::from_secs(60);

/// What requests have found out about an endpoint: it costs one load a request while all is well.
#[derive(Debug)]
pub(super) struct Health {
    since: Instant,
    /// In a row.
    failures: AtomicU32,
    /// Until when nobody goes there, in milliseconds after `since`; without meaning while all is well.
    shunned_until: AtomicU64,
}

/// The right to be the one request that finds out whether an endpoint is well again. Dropped, it is another's.
#[derive(Debug)]
pub(super) struct Probe {
    health: Arc<Health>,
    lease: u64,
}

impl Health {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), failures: AtomicU32::new(0), shunned_until: AtomicU64::new(0) }
    }

    pub(super) fn is_well(&self) -> bool {
        self.failures() == 0
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The probe, if one is due and nobody else is it.
    ///
    /// Requests that can be sent elsewhere when it fails go first; the others, which would be lost, only when none of
    /// them has come for as long again.
    pub(super) fn probe(this: &Arc<Self>, repeatable: bool) -> Option<Probe> {
        let until = this.shunned_until.load(Ordering::Relaxed);
        let extra = if repeatable { 0 } else { millis(pause(this.failures())) };
        let now = this.now();
        if now < until + extra {
            return None;
        }
        let lease = now + millis(LEASE);
        this.shunned_until.compare_exchange(until, lease, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        Some(Probe { health: Arc::clone(this), lease })
    }

    pub(super) fn succeeded(&self) {
        if !self.is_well() {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn failed(&self, probe: Option<&Probe>) {
        let (now, until) = (self.now(), self.shunned_until.load(Ordering::Relaxed));
        // Requests that were under way together fail together: they count once.
        if !self.is_well() && now < until && probe.is_none_or(|probe| probe.lease != until) {
            return;
        }
        // In this order: whoever sees the failure sees the pause.
        self.shunned_until.store(now + millis(pause(self.failures().saturating_add(1))), Ordering::Relaxed);
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        millis(self.since.elapsed())
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // A failure has set a time of its own.
        let (until, now) = (&self.health.shunned_until, self.health.now());
        let _ = until.compare_exchange(self.lease, now, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// After so many failures in a row.
fn pause(failures: u32) -> Duration {
    FIRST.saturating_mul(1 << failures.saturating_sub(1).min(5)).min(LONGEST)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    const INSTANT: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn it_is_left_alone_for_longer_and_longer_and_comes_back() {
        let health = Arc::new(Health::new());
        assert!(health.is_well());
        let mut probe = None;
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            health.failed(probe.as_ref());
            // Of requests that were under way at the time.
            health.failed(None);
            drop(probe);
            assert!(!health.is_well());
            advance(Duration::from_secs(pause) - INSTANT).await;
            assert!(Health::probe(&health, true).is_none());
            advance(INSTANT).await;
            probe = Health::probe(&health, true);
            assert!(probe.is_some(), "{pause}");
        }
        health.succeeded();
        assert!(health.is_well());
        health.failed(None);
        advance(FIRST).await;
        assert!(Health::probe(&health, true).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn one_request_at_a_time_is_the_probe() {
        let health = Arc::new(Health::new());
        health.failed(None);
        advance(FIRST).await;
        let first = Health::probe(&health, true).unwrap();
        assert!(Health::probe(&health, true).is_none());
        // Given up, it is the next one's.
        drop(first);
        let second = Health::probe(&health, true).unwrap();
        // Without an outcome it is so after a while, too.
        advance(LEASE).await;
        let third = Health::probe(&health, true).unwrap();
        drop(second);
        assert!(Health::probe(&health, true).is_none());
        health.failed(Some(&third));
        drop(third);
        advance(FIRST).await;
        assert!(Health::probe(&health, true).is_none());
        advance(FIRST).await;
        assert!(Health::probe(&health, true).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn what_would_be_lost_is_the_probe_when_nothing_else_comes() {
        let health = Arc::new(Health::new());
        health.failed(None);
        advance(FIRST).await;
        assert!(Health::probe(&health, false).is_none());
        advance(FIRST).await;
        assert!(Health::probe(&health, false).is_some());
    }
}
