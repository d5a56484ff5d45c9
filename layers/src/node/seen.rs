use std::{collections::HashSet, mem};

use super::proof::NONCE;

/// How many nonces a generation holds: more than any mesh opens connections, and what a table of 2 MiB has room for.
const MAX: usize = (1 << 17) / 8 * 7;

/// Nonces that were accepted, as long as a proof with one of them could be accepted again.
///
/// Two generations: one that fills, and the one before it. So nothing has to be searched for what is too old.
#[derive(Debug, Default)]
pub(super) struct Seen {
    current: HashSet<[u8; NONCE]>,
    previous: HashSet<[u8; NONCE]>,
    /// When the current generation began, in seconds since 1970.
    since: u64,
    /// How many seconds a nonce is remembered at least.
    keep: u64,
}

/// Why a nonce was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Known,
    Full,
}

impl Seen {
    /// Takes a nonce and remembers it for `keep` seconds at least.
    pub(super) fn take(&mut self, nonce: [u8; NONCE], now: u64, keep: u64) -> Result<(), Refused> {
        self.keep = self.keep.max(keep);
        // A clock that is set back that far makes what was seen invalid too, by its time.
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
        // To forget instead would let a replay in.
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
    fn a_nonce_is_remembered_as_long_as_it_must_be() {
        for start in [0, KEEP - 1, KEEP, 10 * KEEP + 7] {
            for later in 0..=KEEP {
                let mut seen = Seen::default();
                // A generation begins before the nonce comes.
                seen.take(nonce(0), 5 * KEEP, KEEP).unwrap();
                let then = 5 * KEEP + start;
                seen.take(nonce(1), then, KEEP).unwrap();
                // Others come between.
                let _ = seen.take(nonce(2), then + later / 2, KEEP);
                assert_eq!(seen.take(nonce(1), then + later, KEEP), Err(Refused::Known), "{start} {later}");
            }
        }
    }

    #[test]
    fn and_forgotten_in_the_end() {
        let mut seen = Seen::default();
        seen.take(nonce(1), 1000, KEEP).unwrap();
        seen.take(nonce(2), 1000 + KEEP, KEEP).unwrap();
        seen.take(nonce(3), 1000 + 2 * KEEP, KEEP).unwrap();
        assert_eq!(seen.current.len() + seen.previous.len(), 2);
        seen.take(nonce(4), 1000 + 9 * KEEP, KEEP).unwrap();
        assert_eq!(seen.current.len() + seen.previous.len(), 1);
    }

    #[test]
    fn a_clock_that_is_set_back_forgets_nothing_of_use_and_does_not_stop_forgetting() {
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
    fn its_size_is_bounded_and_nothing_known_is_let_in_for_that() {
        let mut seen = Seen::default();
        for number in 0..MAX {
            seen.take(nonce(number), 1000, KEEP).unwrap();
        }
        assert_eq!(seen.take(nonce(MAX), 1000, KEEP), Err(Refused::Full));
        assert_eq!(seen.take(nonce(0), 1000, KEEP), Err(Refused::Known));
        assert_eq!(seen.take(nonce(MAX), 1000 + KEEP, KEEP), Ok(()));
    }
}
