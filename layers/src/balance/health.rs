use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

/// For how long an endpoint is left alone after its first failure; twice as long after each further one.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// What requests have found out about an endpoint: it costs one load a request while all is well.
#[derive(Debug)]
pub(super) struct Health {
    since: Instant,
    /// In a row.
    failures: AtomicU32,
    /// In milliseconds after `since`.
    shunned_until: AtomicU64,
}

impl Health {
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), failures: AtomicU32::new(0), shunned_until: AtomicU64::new(0) }
    }

    /// Whether requests should go there. After a failure and its time, those of all will find out together.
    pub(super) fn is_usable(&self) -> bool {
        self.failures.load(Ordering::Relaxed) == 0 || self.now() >= self.shunned_until.load(Ordering::Relaxed)
    }

    pub(super) fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn failed(&self) {
        // Requests that were under way together fail together: they count once.
        if !self.is_usable() {
            return;
        }
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        let pause = FIRST.saturating_mul(1 << failures.min(5)).min(LONGEST);
        self.shunned_until.store(self.now() + millis(pause), Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        millis(self.since.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn it_is_left_alone_for_longer_and_longer_and_comes_back() {
        let health = Health::new();
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            assert!(health.is_usable());
            health.failed();
            health.failed();
            advance(Duration::from_secs(pause) - Duration::from_millis(1)).await;
            assert!(!health.is_usable());
            advance(Duration::from_millis(1)).await;
        }
        health.succeeded();
        health.failed();
        advance(FIRST).await;
        assert!(health.is_usable());
    }
}
