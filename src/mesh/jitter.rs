//! Random waits, so that nodes do not all retry at the same moment.

use std::time::Duration;

/// A random time between half of `wait` and one and a half of it. Nodes that lost the same thing together then do not
/// retry together.
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
