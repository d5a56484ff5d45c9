use std::sync::atomic::{AtomicU32, Ordering};

/// The credit that a request earns.
const EARNED: u32 = 1;
/// The price of sending a request again. In the long run, it allows this for a fifth of all requests.
pub(super) const SENT: u32 = 5;
/// The price of retrying an unsent or unprocessed request. In the long run, it allows one retry for each request.
pub(super) const UNSENT: u32 = 1;
/// The budget starts with enough for ten retries, and never saves up enough for more than a hundred.
const START: u32 = 10 * SENT;
const MAX: u32 = 100 * SENT;

/// Keeps retries from multiplying the load when no endpoint is healthy.
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
        if saved < MAX {
            // Two concurrent requests may earn credit for only one, which is harmless.
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
    fn a_fifth_of_requests_can_be_sent_again_and_each_unsent_request_can_be_retried_once() {
        for (cost, share) in [(SENT, 5), (UNSENT, 1)] {
            let budget = Budget::default();
            // Each request tries to spend it twice.
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
