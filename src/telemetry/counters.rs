//! What a worker has done, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// The counters of one worker; summed over the workers when somebody asks.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub connections: Counter,
    /// Requests that named a served host.
    pub requests: Counter,
    rejections: [Counter; REASONS.len()],
}

/// Why a connection ended in silence, or a request of it did.
const REASONS: [&str; 22] = [
    "host_not_served",
    "no_host",
    "several_hosts",
    "host_differs",
    "invalid_host",
    "no_request",
    "deadline",
    "no_client_hello",
    "no_sni",
    "sni_not_served",
    "client_left",
    "handshake_failed",
    "no_proof",
    "wrong_proof",
    "clock",
    "replayed",
    "too_many_proofs",
    "no_node_name",
    "too_many_connections",
    "crowded_out",
    "no_response",
    "other",
];

impl Counters {
    /// Counts a connection that ended in silence. An unknown reason counts as `other`.
    pub fn reject(&self, reason: &str) {
        let index = REASONS.iter().position(|known| *known == reason).unwrap_or(REASONS.len() - 1);
        self.rejections[index].add();
    }

    /// The reasons that occurred in any of `workers`, and how often.
    pub fn rejections<'a>(workers: impl Iterator<Item = &'a Self>) -> Vec<(&'static str, u64)> {
        let mut sums = [0; REASONS.len()];
        for worker in workers {
            for (sum, counter) in sums.iter_mut().zip(&worker.rejections) {
                *sum += counter.value();
            }
        }
        REASONS.into_iter().zip(sums).filter(|(_, count)| *count > 0).collect()
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The number.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_summed_by_reason() {
        let workers = [Counters::default(), Counters::default()];
        workers[0].reject("no_sni");
        workers[1].reject("no_sni");
        workers[1].reject("something new");
        assert_eq!(Counters::rejections(workers.iter()), [("no_sni", 2), ("other", 1)]);
    }
}
