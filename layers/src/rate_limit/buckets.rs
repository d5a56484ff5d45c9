use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use governor::{Quota, RateLimiter, clock::Clock, middleware::NoOpMiddleware, nanos::Nanos, state::StateStore};
use rustc_hash::FxHashMap;
use tokio::time::Instant;

/// How many parts there are, each with a lock, so that threads rarely wait for each other.
const SHARDS: usize = 64;

/// Maximum number of buckets in a shard.
const MAX_IN_SHARD: usize = 1024;

/// Maximum number of buckets.
pub(super) const MAX: usize = SHARDS * MAX_IN_SHARD;

/// Minimum time between two searches for full buckets in a shard without room.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

/// The buckets of a limit, by hash.
#[derive(Debug)]
pub(super) struct Buckets {
    limiter: RateLimiter<u64, Shards, SinceStart, NoOpMiddleware<Duration>>,
}

impl Buckets {
    /// Creates full buckets.
    pub(super) fn new(quota: Quota) -> Self {
        let clock = SinceStart(Instant::now());
        let shards = Shards { shards: (0..SHARDS).map(|_| Mutex::default()).collect(), clock };
        Self { limiter: RateLimiter::new(quota, shards, clock) }
    }

    /// Takes a token out of a bucket.
    ///
    /// # Errors
    ///
    /// The time to wait if there is none.
    pub(super) fn take(&self, hash: u64) -> Result<(), Duration> {
        self.limiter.check_key(&hash).map_err(|until| until.wait_time_from(self.limiter.clock().now()))
    }
}

/// The time since the buckets were created.
#[derive(Debug, Clone, Copy)]
struct SinceStart(Instant);

impl Clock for SinceStart {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Where governor keeps its state. Its own stores have no maximum size.
#[derive(Debug)]
struct Shards {
    shards: Box<[Mutex<Shard>]>,
    clock: SinceStart,
}

/// For each bucket, when it will be full, in nanoseconds since the start.
#[derive(Debug, Default)]
struct Shard {
    buckets: FxHashMap<u64, u64>,
    /// The bucket that all keys without room share.
    shared: Option<u64>,
    next_sweep: u64,
}

impl StateStore for Shards {
    type Key = u64;

    fn measure_and_replace<T, F, E>(&self, hash: &u64, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let index = usize::try_from(hash % SHARDS as u64).unwrap_or_default();
        let mut shard = self.shards[index].lock().unwrap_or_else(PoisonError::into_inner);
        let full_at = shard.buckets.get(hash).copied();
        if full_at.is_none() && !shard.has_room(|| nanos(self.clock.now())) {
            let (passed, full_at) = decide(shard.shared.map(Nanos::from))?;
            shard.shared = Some(full_at.as_u64());
            return Ok(passed);
        }
        let (passed, full_at) = decide(full_at.map(Nanos::from))?;
        shard.buckets.insert(*hash, full_at.as_u64());
        Ok(passed)
    }
}

impl Shard {
    /// Whether there is room for a new bucket, if necessary in place of full ones. A full bucket is like a new one.
    fn has_room(&mut self, now: impl FnOnce() -> u64) -> bool {
        if self.buckets.len() < MAX_IN_SHARD {
            return true;
        }
        let now = now();
        if now >= self.next_sweep {
            self.next_sweep = now.saturating_add(nanos(SWEEP_INTERVAL));
            self.buckets.retain(|_, full_at| *full_at > now);
        }
        self.buckets.len() < MAX_IN_SHARD
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::rate_limit::RateLimit;

    fn buckets(requests: u32, per: u64, burst: u32) -> Buckets {
        let limit = RateLimit::new(requests, Duration::from_secs(per)).and_then(|limit| limit.burst(burst));
        Buckets::new(limit.unwrap().quota)
    }

    fn count(buckets: Buckets) -> usize {
        let shards = buckets.limiter.into_state_store().shards;
        shards.iter().map(|shard| shard.lock().unwrap().buckets.len()).sum()
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_come_back_one_by_one() {
        let buckets = buckets(60, 60, 3);
        let pass = |times: usize| (0..times).filter(|_| buckets.take(1).is_ok()).count();
        assert_eq!(pass(10), 3);
        assert_eq!(buckets.take(1), Err(Duration::from_secs(1)));
        assert!(buckets.take(2).is_ok());
        advance(Duration::from_millis(400)).await;
        assert_eq!(buckets.take(1), Err(Duration::from_millis(600)));
        advance(Duration::from_millis(1600)).await;
        assert_eq!(pass(10), 2);
        advance(Duration::from_secs(3600)).await;
        assert_eq!(pass(10), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_keys_neither_grows_memory_nor_resets_a_limit() {
        let buckets = buckets(1, 3600, 1);
        assert!(buckets.take(7).is_ok());
        let passed = (0..4 * MAX as u64).filter(|key| buckets.take((key << 8) + key % 64 + 64).is_ok()).count();
        // Each shard has one bucket that new keys share.
        assert_eq!(passed, MAX - 1 + SHARDS);
        assert_eq!(buckets.take(7), Err(Duration::from_secs(3600)));
        advance(Duration::from_secs(3600)).await;
        // All are full again and can go.
        assert!(buckets.take(1 << 60).is_ok());
        assert_eq!(count(buckets), (SHARDS - 1) * MAX_IN_SHARD + 1);
    }

    #[tokio::test(start_paused = true)]
    async fn buckets_in_use_are_not_dropped() {
        let buckets = buckets(1, 10, 1);
        let key = |number: u64| number * SHARDS as u64;
        for number in 0..1024 {
            assert!(buckets.take(key(number)).is_ok());
        }
        advance(Duration::from_secs(10)).await;
        // A token of the first one is used once more. All others are full.
        assert!(buckets.take(key(0)).is_ok());
        assert!(buckets.take(key(1024)).is_ok());
        assert!(buckets.take(key(0)).is_err());
        assert_eq!(count(buckets), 2);
    }
}
