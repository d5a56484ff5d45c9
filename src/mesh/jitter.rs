//! Random waits, so that nodes do not all retry at the same moment.

use std::time::Duration;

/// Returns a random time between a half and one and a half times `wait`, so that nodes that lost their connection together
/// do not retry together.
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
