use std::sync::atomic::{AtomicU32, Ordering};

/// Credit that a request earns.
const EARNED: u32 = 1;
/// Price of sending a request a second time, so that a fifth of the requests may be sent again.
pub(super) const SENT: u32 = 5;
/// Price of another attempt after one that left the request unsent or unprocessed, so that in the long run each request
/// may go on once.
pub(super) const UNSENT: u32 = 1;
/// At the start there is enough for ten second tries, and never more than for a hundred is saved.
const START: u32 = 10 * SENT;
const MOST: u32 = 100 * SENT;

/// Keeps second tries from multiplying the load when there is no endpoint left that is well.
#[derive(Debug)]
pub(super) struct Budget(AtomicU32);

impl Default for Budget {
    fn default() -> Self {
        Self(AtomicU32::new(START))
    }
}

impl Budget {
    pub(super) fn earn(&self) {
        let saved = self.0.load(Ordering::Relaxed);
        if saved < MOST {
            // Two requests at once may earn as one, which is no matter.
            self.0.store(saved + EARNED, Ordering::Relaxed);
        }
    }

    /// Whether a second try is in the budget, which then pays for it.
    pub(super) fn spend(&self, cost: u32) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| saved.checked_sub(cost)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_requests_may_be_sent_again_and_every_unsent_one_may_go_on_once() {
        for (cost, share) in [(SENT, 5), (UNSENT, 1)] {
            let budget = Budget::default();
            // Each request asks for two.
            let again = |requests: u32| {
                let again = |_| {
                    budget.earn();
                    (0..2).filter(|_| budget.spend(cost)).count()
                };
                (0..requests).map(again).sum::<usize>()
            };
            again(1000);
            assert_eq!(again(1000), 1000 / share, "{cost}");
        }
    }
}
