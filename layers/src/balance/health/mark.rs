const FAILURES: u64 = (1 << 30) - 1;
const DRAINED: u64 = 1 << 30;
const BLACK_HOLE: u64 = 1 << 31;
const CHANGE: u64 = 1 << 32;

/// The state of an endpoint in one word, which is all that a request reads while the endpoint is healthy.
///
/// An attempt keeps the mark that it began with. If the state has changed since, the outcome of the attempt is outdated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::balance) struct Mark(u64);

impl Mark {
    /// The mark of a new endpoint.
    pub(in crate::balance) const NEW: Self = Self(0);

    pub(in crate::balance) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(in crate::balance) fn bits(self) -> u64 {
        self.0
    }

    /// Whether the endpoint gets requests without a test: it has not failed, and is not drained.
    pub(in crate::balance) fn is_healthy(self) -> bool {
        self.0 & (FAILURES | DRAINED) == 0
    }

    /// Whether the endpoint gets no new requests at all.
    pub(in crate::balance) fn is_drained(self) -> bool {
        self.0 & DRAINED != 0
    }

    /// The number of failures in a row.
    pub(in crate::balance) fn failures(self) -> u32 {
        u32::try_from(self.0 & FAILURES).unwrap_or(u32::MAX)
    }

    /// Whether connections time out. If so, only a background task tries to connect, so that no request has to wait.
    pub(in crate::balance) fn is_black_hole(self) -> bool {
        self.0 & BLACK_HOLE != 0
    }

    /// Whether the outcome of an attempt that began at `other` counts: nothing has changed since, and the endpoint is not
    /// drained.
    pub(super) fn counts_since(self, other: Self) -> bool {
        self.0 / CHANGE == other.0 / CHANGE && !self.is_drained()
    }

    pub(super) fn after_failure(self, is_black_hole: bool) -> Self {
        let failures = (self.0 & FAILURES).saturating_add(1).min(FAILURES);
        Self(self.next_change() | failures | if is_black_hole { BLACK_HOLE } else { 0 })
    }

    /// The mark of an endpoint that is healthy again: it has recovered, or gets requests again.
    pub(super) fn after_recovery(self) -> Self {
        Self(self.next_change())
    }

    pub(super) fn after_drain(self) -> Self {
        Self(self.next_change() | DRAINED)
    }

    /// Returns the same state, but requests can wait for the endpoint.
    pub(super) fn not_a_black_hole(self) -> Self {
        Self(self.0 & !BLACK_HOLE)
    }

    fn next_change(self) -> u64 {
        (self.0 / CHANGE).wrapping_add(1).wrapping_mul(CHANGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_and_each_recovery_is_a_change() {
        let new = Mark::NEW;
        assert!(new.is_healthy() && !new.is_black_hole() && new.counts_since(new));
        let failed = new.after_failure(true);
        let again = failed.after_failure(false);
        let recovered = again.after_recovery();
        assert_eq!([new, failed, again, recovered].map(Mark::failures), [0, 1, 2, 0]);
        assert_eq!([new, failed, again, recovered].map(Mark::is_black_hole), [false, true, false, false]);
        for (before, after) in [(new, failed), (failed, again), (again, recovered)] {
            assert!(!after.counts_since(before));
        }
        let reachable = failed.not_a_black_hole();
        assert!(reachable.counts_since(failed) && !reachable.is_black_hole() && reachable.failures() == 1);
    }

    #[test]
    fn nothing_counts_while_drained_or_after_it() {
        let failed = Mark::NEW.after_failure(true);
        for before in [Mark::NEW, failed] {
            let drained = before.after_drain();
            assert!(drained.is_drained() && !drained.is_healthy() && !drained.is_black_hole());
            assert!(!drained.counts_since(before) && !drained.counts_since(drained));
            let resumed = drained.after_recovery();
            assert!(resumed.is_healthy() && !resumed.is_drained() && resumed.failures() == 0);
            assert!(!resumed.counts_since(before) && !resumed.counts_since(drained));
        }
    }

    #[test]
    fn counters_at_their_maximum_do_no_harm() {
        let full = Mark::from_bits(u64::MAX - BLACK_HOLE);
        let failed = full.after_failure(false);
        assert_eq!((failed.failures(), failed.is_black_hole()), (full.failures(), false));
        assert!(!failed.counts_since(full) && full.after_recovery().is_healthy());
    }
}
