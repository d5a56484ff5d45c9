use std::sync::atomic::{AtomicU64, Ordering};

use crate::max_in_flight::{Counted, InFlightCount};

/// Counts copies of requests by their outcome. Layers can share it, also between threads.
#[derive(Debug, Default)]
pub struct MirrorStats {
    answered: AtomicU64,
    skipped: AtomicU64,
    failed: AtomicU64,
    in_flight: InFlightCount,
}

impl MirrorStats {
    /// The number of copies that got a response.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// The number of requests that were not copied, because their body was too long or incomplete, or because a limit of
    /// copies in flight or memory was reached.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// The number of copies that got no complete response in time.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// The number of copies in flight, from the beginning of the request to the end of the response.
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
