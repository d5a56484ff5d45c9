//! When a service last had requests.

use std::time::Duration;

use tokio::time::Instant;

/// The shortest and the longest pause between two looks.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// When a service last had requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct Activity {
    requests: u64,
    last: Instant,
    look: Instant,
}

impl Activity {
    pub(super) fn new(now: Instant) -> Self {
        Self { requests: 0, last: now, look: now }
    }

    /// When to look next.
    pub(super) fn next_look(&self) -> Instant {
        self.look
    }

    /// Whether it is time to look at a service that stops after `limit` without requests. If so, sets the next time.
    pub(super) fn is_due(&mut self, now: Instant, limit: Duration) -> bool {
        let is_due = self.look <= now;
        if is_due {
            self.look = now + (limit / 8).clamp(PAUSES.0, PAUSES.1);
        }
        is_due
    }

    /// Notes whether the service is busy now, and how many requests it has had. Returns for how long it has had none.
    pub(super) fn note(&mut self, is_busy: bool, requests: u64, now: Instant) -> Duration {
        if is_busy || requests != self.requests {
            (self.requests, self.last) = (requests, now);
        }
        now.saturating_duration_since(self.last)
    }
}
