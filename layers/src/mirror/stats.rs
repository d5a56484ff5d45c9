use std::sync::atomic::{AtomicU64, Ordering};

use crate::max_in_flight::{Counted, InFlightCount};

/// What became of the copies of requests. Several layers can share it, also between threads.
#[derive(Debug, Default)]
pub struct MirrorStats {
    answered: AtomicU64,
    skipped: AtomicU64,
    failed: AtomicU64,
    in_flight: InFlightCount,
}

impl MirrorStats {
    /// How many copies got a response.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// How many requests were not copied, because their body was too long or incomplete, or because too many copies were in
    /// flight or too much memory in use.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// How many copies got no response, or not in time.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// How many copies are in flight, from the beginning of the request to the end of the response.
    pub fn in_flight(&self) -> usize {
        self.in_flight.value()
    }

    pub(super) fn begin(&self) -> Option<Counted> {
        self.in_flight.add(usize::MAX)
    }

    pub(super) fn skip(&self) {
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn end(&self, is_answered: bool) {
        let count = if is_answered { &self.answered } else { &self.failed };
        count.fetch_add(1, Ordering::Relaxed);
    }
}
