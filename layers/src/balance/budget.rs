use std::sync::atomic::{AtomicU32, Ordering};

/// What a request earns, of which a second try costs [`COST`]: so a fifth of the requests may be tried again.
const EARNED: u32 = 1;
const COST: u32 = 5;
/// At the start there is enough for ten second tries, and never more than for a hundred is saved.
const START: u32 = 10 * COST;
const MOST: u32 = 100 * COST;

/// Keeps second tries from multiplying the load when there is no endpoint left that is well.
#[derive(Debug)]
pub(super) struct Budget(AtomicU32);

impl Budget {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(START))
    }

    pub(super) fn earn(&self) {
        let saved = self.0.load(Ordering::Relaxed);
        if saved < MOST {
            // Two requests at once may earn as one, which is no matter.
            self.0.store(saved + EARNED, Ordering::Relaxed);
        }
    }

    /// Whether a second try is in the budget, which then pays for it.
    pub(super) fn spend(&self) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| saved.checked_sub(COST)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_requests_may_be_tried_again() {
        let budget = Budget::new();
        let spent = |requests: u32| {
            (0..requests)
                .filter(|_| {
                    budget.earn();
                    budget.spend()
                })
                .count()
        };
        let start = spent(1000);
        assert!((200..=215).contains(&start), "{start}");
        assert_eq!(spent(1000), 200);
    }
}
