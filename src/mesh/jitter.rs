//! Random waits, so that nodes do not all come back at once.

use std::time::Duration;

/// From half to one and a half of `wait`, so that nodes that lost the same thing at once do not come back at once.
pub(super) fn jittered(wait: Duration) -> Duration {
    rand::random_range(wait / 2..=wait * 3 / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(5);

    #[test]
    fn waits_differ_within_bounds() {
        let waits: Vec<_> = (0..100).map(|_| jittered(WAIT)).collect();
        assert!(waits.iter().all(|wait| (WAIT / 2..=WAIT * 3 / 2).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }
}
