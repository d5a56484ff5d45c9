use std::{collections::HashSet, mem};

use super::proof::NONCE;

/// How many nonces a generation holds: more than the connections that any mesh opens, and as many as fit in a table of
/// 2 MiB.
const MAX: usize = (1 << 17) / 8 * 7;

/// Accepted nonces, for as long as a proof with one of them could be accepted again.
///
/// There are two generations, the current one and the previous one. Old entries go with their generation, so nothing has
/// to search for them.
#[derive(Debug, Default)]
pub(super) struct Seen {
    current: HashSet<[u8; NONCE]>,
    previous: HashSet<[u8; NONCE]>,
    /// When the current generation started, in seconds since 1970.
    since: u64,
    /// How many seconds each nonce is remembered, at least.
    keep: u64,
}

/// Why a nonce was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Known,
    Full,
}

impl Seen {
    /// Accepts a nonce and remembers it for at least `keep` seconds.
    pub(super) fn take(&mut self, nonce: [u8; NONCE], now: u64, keep: u64) -> Result<(), Refused> {
        self.keep = self.keep.max(keep);
        // If the clock is set back that far, all proofs seen before are outside the window as well.
        let age = now.abs_diff(self.since);
        if age >= self.keep {
            self.previous = mem::take(&mut self.current);
            if age >= self.keep.saturating_mul(2) {
                self.previous.clear();
            }
            self.since = now;
        }
        if self.previous.contains(&nonce) || self.current.contains(&nonce) {
            return Err(Refused::Known);
        }
        // Forgetting instead would allow replays.
        if self.current.len() >= MAX {
            return Err(Refused::Full);
        }
        self.current.insert(nonce);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP: u64 = 120;

    fn nonce(number: usize) -> [u8; NONCE] {
        u128::try_from(number).unwrap().to_be_bytes()
    }

    #[test]
    fn a_nonce_is_remembered_as_long_as_needed() {
        for start in [0, KEEP - 1, KEEP, 10 * KEEP + 7] {
            for later in 0..=KEEP {
                let mut seen = Seen::default();
                // A generation starts before the nonce arrives.
                seen.take(nonce(0), 5 * KEEP, KEEP).unwrap();
                let then = 5 * KEEP + start;
                seen.take(nonce(1), then, KEEP).unwrap();
                // Another nonce arrives in between.
                let _ = seen.take(nonce(2), then + later / 2, KEEP);
                assert_eq!(seen.take(nonce(1), then + later, KEEP), Err(Refused::Known), "{start} {later}");
            }
        }
    }

    #[test]
    fn old_nonces_are_forgotten() {
        let mut seen = Seen::default();
        seen.take(nonce(1), 1000, KEEP).unwrap();
        seen.take(nonce(2), 1000 + KEEP, KEEP).unwrap();
        seen.take(nonce(3), 1000 + 2 * KEEP, KEEP).unwrap();
        assert_eq!(seen.current.len() + seen.previous.len(), 2);
        seen.take(nonce(4), 1000 + 9 * KEEP, KEEP).unwrap();
        assert_eq!(seen.current.len() + seen.previous.len(), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_neither_allows_replays_nor_stops_forgetting() {
        let mut seen = Seen::default();
        seen.take(nonce(1), 10_000, KEEP).unwrap();
        assert_eq!(seen.take(nonce(1), 10_001 - KEEP, KEEP), Err(Refused::Known));
        for (number, now) in [(2, 1000), (3, 1000 + KEEP), (4, 1000 + 2 * KEEP)] {
            seen.take(nonce(number), now, KEEP).unwrap();
        }
        assert_eq!(seen.current.len() + seen.previous.len(), 2);
    }

    #[test]
    fn the_longest_window_counts() {
        let mut seen = Seen::default();
        seen.take(nonce(1), 10_000, 10 * KEEP).unwrap();
        seen.take(nonce(2), 10_000 + 3 * KEEP, KEEP).unwrap();
        assert_eq!(seen.take(nonce(1), 10_000 + 5 * KEEP, 10 * KEEP), Err(Refused::Known));
    }

    #[test]
    fn its_size_is_bounded_without_allowing_replays() {
        let mut seen = Seen::default();
        for number in 0..MAX {
            seen.take(nonce(number), 1000, KEEP).unwrap();
        }
        assert_eq!(seen.take(nonce(MAX), 1000, KEEP), Err(Refused::Full));
        assert_eq!(seen.take(nonce(0), 1000, KEEP), Err(Refused::Known));
        assert_eq!(seen.take(nonce(MAX), 1000 + KEEP, KEEP), Ok(()));
    }
}
