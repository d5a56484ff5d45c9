use std::{collections::hash_map::RandomState, hash::BuildHasher, time::Duration};

use tokio::time::Instant;

use crate::durations::bounded;

/// The maximum age at which connections accept new requests.
///
/// Each connection gets up to a tenth less at random, so that connections opened together are not replaced together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MaxAge(Option<Duration>);

impl MaxAge {
    pub(super) fn new(age: Option<Duration>) -> Self {
        Self(age.map(bounded))
    }

    /// Returns when a connection that is opened now stops accepting requests; `None` without a maximum.
    pub(super) fn end(self) -> Option<Instant> {
        let age = self.0?;
        // The hasher is seeded with random numbers from the system.
        let random = u32::try_from(RandomState::new().hash_one(0) % 1024).unwrap_or_default();
        Some(Instant::now() + age - age / 10 * random / 1024)
    }

    /// Returns the smaller of `idle` and the maximum age.
    pub(super) fn limit(self, idle: Duration) -> Duration {
        self.0.map_or(idle, |age| age.min(idle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn ages_differ_within_bounds() {
        let age = Duration::from_secs(300);
        let ends: Vec<_> = (0..100).filter_map(|_| MaxAge::new(Some(age)).end()).collect();
        let now = Instant::now();
        assert!(ends.iter().all(|end| (now + age * 9 / 10..=now + age).contains(end)));
        assert!(ends.iter().any(|end| end != &ends[0]));
        assert_eq!(MaxAge::default().end(), None);
    }
}
