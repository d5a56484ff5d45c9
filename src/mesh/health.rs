//! Whether a node responds, and how fast.

use std::{
    sync::atomic::{AtomicI64, AtomicU8, AtomicU32, AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Whether a node responds, and how fast. Written by its prober, read by all workers.
///
/// The values are read one by one. Nothing depends on two of them being from the same moment.
#[derive(Debug, Default)]
pub struct Health {
    state: AtomicU8,
    /// Microseconds; 0 means unknown.
    rtt: AtomicU64,
    failures: AtomicU32,
    /// Seconds since 1970; 0 means never.
    last_response: AtomicU64,
    /// How many seconds its clock is ahead of ours. Stored plus one if not negative, so that 0 means unknown.
    clock: AtomicI64,
}

/// Whether a node responds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has neither responded nor failed often enough to be dead.
    Unknown,
    /// It responds.
    Alive,
    /// It has failed to respond too many times in a row.
    Dead,
}

// 0 is unknown.
const ALIVE: u8 = 1;
const DEAD: u8 = 2;

impl Health {
    /// Whether it responds.
    pub fn state(&self) -> State {
        match self.state.load(Ordering::Relaxed) {
            ALIVE => State::Alive,
            DEAD => State::Dead,
            _ => State::Unknown,
        }
    }

    /// How long its last response took.
    pub fn rtt(&self) -> Option<Duration> {
        let micros = self.rtt.load(Ordering::Relaxed);
        (micros > 0).then(|| Duration::from_micros(micros))
    }

    /// Failures since its last response.
    pub fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The time of its last response.
    pub fn last_response(&self) -> Option<SystemTime> {
        let seconds = self.last_response.load(Ordering::Relaxed);
        (seconds > 0).then(|| UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// How many seconds its clock was ahead of ours when it last reported its time. Negative if it was behind.
    pub fn clock_ahead(&self) -> Option<i64> {
        match self.clock.load(Ordering::Relaxed) {
            0 => None,
            ahead if ahead > 0 => Some(ahead - 1),
            behind => Some(behind),
        }
    }

    /// Records that its clock showed `theirs` when ours showed `ours`.
    pub fn record_clock(&self, theirs: SystemTime, ours: SystemTime) {
        let clamped = |seconds: u64| i64::try_from(seconds).unwrap_or(i64::MAX - 1).min(i64::MAX - 1);
        let (theirs, ours) = (clamped(seconds(theirs)), clamped(seconds(ours)));
        let ahead = theirs - ours;
        self.clock.store(if ahead >= 0 { ahead + 1 } else { ahead }, Ordering::Relaxed);
    }

    /// Records a response that took `rtt`.
    pub fn succeeded(&self, rtt: Duration) {
        let micros = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
        self.rtt.store(micros.max(1), Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
        self.last_response.store(seconds(SystemTime::now()), Ordering::Relaxed);
        self.state.store(ALIVE, Ordering::Relaxed);
    }

    /// Records a failure to respond. After `limit` in a row, the node is dead.
    pub fn failed(&self, limit: u32) {
        // Wraps around only after more failures than matter.
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
    fn the_clock_difference_is_kept() {
        let health = Health::default();
        assert_eq!(health.clock_ahead(), None);
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        for (theirs, ours, expected) in
            [(5, 5, 0), (86_405, 5, 86_400), (5, 6, -1), (u64::from(u32::MAX), 0, 4_294_967_295)]
        {
            health.record_clock(at(theirs), at(ours));
            assert_eq!(health.clock_ahead(), Some(expected));
        }
    }

    #[test]
    fn a_node_is_dead_after_failures_in_a_row_until_it_responds() {
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
