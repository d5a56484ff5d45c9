//! Counters of what a worker has done.

use std::sync::atomic::{AtomicU64, Ordering};

use pmesh_layers::mirror::MirrorStats;

/// The counters of one worker. They are summed over the workers when they are read.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub connections: Counter,
    /// Requests that named a served host.
    pub requests: Counter,
    rejections: [Counter; REASONS.len()],
}

/// The reasons for rejecting a connection or a request in silence.
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
    /// Counts a connection or request rejected in silence. An unknown reason counts as `other`.
    pub fn reject(&self, reason: &str) {
        let index = REASONS.iter().position(|known| *known == reason).unwrap_or(REASONS.len() - 1);
        self.rejections[index].add();
    }

    /// Returns the reasons that occurred in any of `workers`, with their counts.
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

/// The counters of requests that a limit of their route rejected. All workers share them: only routes with a limit use them.
#[derive(Debug, Default)]
pub struct LimitCounters {
    /// Rejected by `rate_limit`.
    pub rate_limit: Counter,
    /// Rejected by `max_in_flight`.
    pub max_in_flight: Counter,
}

impl LimitCounters {
    /// Returns the keys of the limits that have rejected requests, with how many.
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = [("rate_limit", self.rate_limit.value()), ("max_in_flight", self.max_in_flight.value())];
        counts.into_iter().filter(|(_, count)| *count > 0)
    }
}

/// The counts of copies of requests by outcome, if there were any.
pub fn copies(stats: &MirrorStats) -> impl Iterator<Item = (&'static str, u64)> {
    let counts = [("answered", stats.answered()), ("failed", stats.failed()), ("skipped", stats.skipped())];
    counts.into_iter().filter(|(_, count)| *count > 0)
}

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds one.
    pub fn add(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// The current value.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejections_are_summed_over_workers() {
        let workers = [Counters::default(), Counters::default()];
        workers[0].reject("no_sni");
        workers[1].reject("no_sni");
        workers[1].reject("something new");
        assert_eq!(Counters::rejections(workers.iter()), [("no_sni", 2), ("other", 1)]);
    }
}
