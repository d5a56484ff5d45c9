//! Whether a node answers, and how fast.

use std::{
    sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
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
    /// Seconds since 1970; 0: never.
    answered: AtomicU64,
    /// Seconds by which its clock is ahead of ours, and one more, so that 0 is: not known.
    clock: AtomicI64,
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

    /// When it answered last.
    pub fn answered(&self) -> Option<SystemTime> {
        let seconds = self.answered.load(Ordering::Relaxed);
        (seconds > 0).then(|| UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// By how many seconds its clock was ahead of this one's, when it said what time it is; negative when it was behind.
    pub fn clock_ahead(&self) -> Option<i64> {
        match self.clock.load(Ordering::Relaxed) {
            0 => None,
            ahead if ahead > 0 => Some(ahead - 1),
            behind => Some(behind),
        }
    }

    /// It has said that it is `theirs`, when it was `ours` here.
    pub fn said_time(&self, theirs: SystemTime, ours: SystemTime) {
        let clamped = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX - 1).min(i64::MAX - 1);
        let (theirs, ours) = (clamped(seconds(theirs)), clamped(seconds(ours)));
        let ahead = theirs - ours;
        self.clock.store(if ahead >= 0 { ahead + 1 } else { ahead }, Ordering::Relaxed);
    }

    /// It has answered, after `rtt`.
    pub fn succeeded(&self, rtt: Duration) {
        let micros = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
        self.rtt.store(micros.max(1), Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
        self.answered.store(seconds(SystemTime::now()), Ordering::Relaxed);
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

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_told_apart() {
        let health = Health::default();
        assert_eq!(health.clock_ahead(), None);
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        for (theirs, ours, expected) in
            [(5, 5, 0), (86_405, 5, 86_400), (5, 6, -1), (u64::from(u32::MAX), 0, 4_294_967_295)]
        {
            health.said_time(at(theirs), at(ours));
            assert_eq!(health.clock_ahead(), Some(expected));
        }
    }

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
