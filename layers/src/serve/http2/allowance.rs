//! A budget for a client that keeps the server busy for nothing.

use std::time::Duration;

use tokio::time::Instant;

/// A budget that time refills up to its full size, and to which earnings add without a limit.
///
/// The clock and the earnings are read only when too little is left, so that spending is usually just a subtraction.
#[derive(Debug)]
pub(super) struct Allowance {
    left: u32,
    most: u32,
    each_second: u32,
    /// When it was last filled, and the total earned by then.
    filled: Instant,
    earned: u32,
}

impl Allowance {
    /// A full budget: `most` at once, and `each_second` in the long run.
    pub(super) fn new(most: u32, each_second: u32) -> Self {
        Self { left: most, most, each_second, filled: Instant::now(), earned: 0 }
    }

    /// Spends `cost`. Returns whether there was enough. `earned` returns the total earned so far, which may wrap.
    pub(super) fn spend(&mut self, cost: u32, earned: impl FnOnce() -> u32) -> bool {
        if cost > self.left {
            self.fill(earned());
        }
        let left = self.left.checked_sub(cost);
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    /// Gives something back, up to the full size.
    pub(super) fn give_back(&mut self, amount: u32) {
        let full = self.left.max(self.most);
        self.left = self.left.saturating_add(amount).min(full);
    }

    fn fill(&mut self, earned: u32) {
        let now = Instant::now();
        let time = now.duration_since(self.filled).min(Duration::from_secs(3600));
        let with_time = u64::from(self.each_second) * u64::try_from(time.as_millis()).unwrap_or(u64::MAX) / 1000;
        self.filled = now;
        let mut with_work = earned.wrapping_sub(self.earned);
        if with_work > u32::MAX / 2 {
            // Another thread is counting at this moment, and the total is briefly too small.
            with_work = 0;
        } else {
            self.earned = earned;
        }
        self.give_back(u32::try_from(with_time).unwrap_or(u32::MAX));
        // Without a limit: the client's frames may follow long after the work, as with a whole body in one piece.
        self.left = self.left.saturating_add(with_work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_refills_up_to_the_full_size_and_work_without_a_limit() {
        let mut allowance = Allowance::new(10, 2);
        assert!(allowance.spend(10, || 0));
        assert!(!allowance.spend(1, || 0));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(allowance.spend(4, || 0));
        assert!(!allowance.spend(1, || 0));
        assert!(allowance.spend(3, || 3));
        assert!(!allowance.spend(1, || 3), "earned once");
        tokio::time::advance(Duration::from_secs(1_000_000)).await;
        assert!(!allowance.spend(11, || 3));
        assert!(allowance.spend(1_000_000, || 1_000_003));
    }

    #[tokio::test(start_paused = true)]
    async fn earnings_can_wrap() {
        let mut allowance = Allowance::new(10, 1);
        assert!(allowance.spend(10, || 0));
        assert!(allowance.spend(u32::MAX / 2, || u32::MAX / 2));
        assert!(allowance.spend(u32::MAX / 2, || u32::MAX - 1));
        assert!(allowance.spend(4, || 2));
        assert!(!allowance.spend(1, || 2));
    }

    #[tokio::test(start_paused = true)]
    async fn earnings_can_look_too_small_for_a_moment() {
        let mut allowance = Allowance::new(10, 1);
        assert!(allowance.spend(10, || 5));
        assert!(allowance.spend(5, || 5));
        assert!(!allowance.spend(1, || 4));
        assert!(allowance.spend(1, || 6));
        assert!(!allowance.spend(1, || 6));
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_is_not_read_while_something_is_left() {
        let mut allowance = Allowance::new(10, 1);
        for _ in 0..1000 {
            allowance.give_back(1);
            assert!(allowance.spend(1, || unreachable!()));
        }
    }
}
