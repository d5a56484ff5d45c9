use std::{
    sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

/// Whether a node answers, and how fast. Written by whoever asks it, read by all workers.
///
/// The values are read one by one; nothing depends on two of them being of the same moment.
#[derive(Debug, Default)]
pub struct Health {
    state: AtomicU8,
    /// Microseconds; 0: not known.
    rtt: AtomicU64,
    failures: AtomicU32,
}

/// Whether a node answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was not asked yet.
    Unknown,
    /// It has answered.
    Alive,
    /// It has failed to answer too often.
    Dead,
}

// 0 is unknown.
const ALIVE: u8 = 1;
const DEAD: u8 = 2;

impl Health {
    /// Whether it answers.
    pub fn state(&self) -> State {
        match self.state.load(Ordering::Relaxed) {
            ALIVE => State::Alive,
            DEAD => State::Dead,
            _ => State::Unknown,
        }
    }

    /// How long the last answer took.
    pub fn rtt(&self) -> Option<Duration> {
        let micros = self.rtt.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros))
    }

    /// How often it has failed since it answered last.
    pub fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    /// It has answered, after `rtt`.
    pub fn succeeded(&self, rtt: Duration) {
        let micros = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
        self.rtt.store(micros.max(1), Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
        self.state.store(ALIVE, Ordering::Relaxed);
    }

    /// It has failed to answer, and is dead if that was the `limit`-th time in a row, or later.
    pub fn failed(&self, limit: u32) {
        // Wraps after so many that it does not matter.
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if failures >= limit {
            self.state.store(DEAD, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_dead_after_failures_in_a_row_until_it_answers() {
        let health = Health::default();
        assert_eq!((health.state(), health.rtt(), health.failures()), (State::Unknown, None, 0));
        health.failed(2);
        assert_eq!(health.state(), State::Unknown);
        health.succeeded(Duration::from_micros(70));
        assert_eq!((health.state(), health.rtt()), (State::Alive, Some(Duration::from_micros(70))));
        health.failed(2);
        assert_eq!((health.state(), health.failures()), (State::Alive, 1));
        health.failed(2);
        assert_eq!((health.state(), health.failures()), (State::Dead, 2));
        health.succeeded(Duration::ZERO);
        assert_eq!((health.state(), health.failures()), (State::Alive, 0));
        assert!(health.rtt().is_some());
    }
}
