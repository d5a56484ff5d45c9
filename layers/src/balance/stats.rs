use std::sync::atomic::{AtomicU64, Ordering};

/// How many requests were sent to an endpoint, and how many of them failed.
///
/// Each request adds to it. So each worker should have its own, on whose cache line no other worker writes; the sum is
/// made by whoever reads them.
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

    /// Attempts that failed through the endpoint's fault, and responses that broke off.
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
