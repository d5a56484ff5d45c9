use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the requests sent to an endpoint, and how many of them failed.
///
/// Every request updates it. Give each worker its own, so that no other worker writes to its cache line, and add them
/// up when reading.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct EndpointStats {
    requests: AtomicU64,
    failures: AtomicU64,
}

impl EndpointStats {
    /// Attempts to send a request to the endpoint.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Attempts that failed because of the endpoint, and responses that broke off.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub(super) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_failure(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }
}
