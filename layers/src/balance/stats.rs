use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

/// Counters of the requests sent to an endpoint and of their failures.
///
/// Every request updates them. Give each worker its own counters, so that no two workers write to the same cache line,
/// and add them up when reading.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct EndpointStats {
    requests: AtomicU64,
    failures: AtomicU64,
    first: OnceLock<Instant>,
}

impl EndpointStats {
    /// The number of attempts to send a request to the endpoint.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// The number of attempts that failed because of the endpoint, and of responses that broke off.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The time since the first attempt; `None` before that.
    pub fn since_first_request(&self) -> Option<Duration> {
        self.first.get().map(Instant::elapsed)
    }

    pub(super) fn count_request(&self) {
        if self.requests.fetch_add(1, Ordering::Relaxed) == 0 {
            self.first.get_or_init(Instant::now);
        }
    }

    pub(super) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}
