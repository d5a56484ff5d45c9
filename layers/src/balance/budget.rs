use std::sync::atomic::{AtomicU32, Ordering};

/// Credit that a request earns.
const EARNED: u32 = 1;
/// Price of sending a request again. It allows a fifth of all requests to be sent again.
pub(super) const SENT: u32 = 5;
/// Price of another attempt after one that left the request unsent or unprocessed. In the long run, it allows one for
/// each request.
pub(super) const UNSENT: u32 = 1;
/// The budget starts with enough for ten retries, and never saves up more than enough for a hundred.
const START: u32 = 10 * SENT;
const MOST: u32 = 100 * SENT;

/// Keeps retries from multiplying the load when no endpoint is well.
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
            // Two concurrent requests may earn credit for only one, which does no harm.
            self.0.store(saved + EARNED, Ordering::Relaxed);
        }
    }

    /// Takes the price of a retry from the budget, if there is enough in it.
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
