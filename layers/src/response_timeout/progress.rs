use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use super::TimedOut;
use crate::body::WatchRequest;

/// The rate is checked at most this many times per window, so a slow body can be noticed late, by up to a quarter of the
/// window.
const CHECKS_PER_WINDOW: u32 = 4;
/// Value of `waits_since` while nobody waits for the client.
const NOT_WAITING: u64 = u64::MAX;

/// The minimum rate of a body, averaged over each window.
#[derive(Debug, Clone, Copy)]
pub(super) struct MinRate {
    bytes_a_second: u64,
    window: Duration,
}

impl MinRate {
    pub(super) fn new(bytes_a_second: u64, window: Duration) -> Option<Self> {
        // The resolution of timers.
        let window = window.max(Duration::from_millis(1));
        (bytes_a_second > 0).then_some(Self { bytes_a_second, window })
    }
}

/// The progress of a request body. Times are in milliseconds; `moved_at` and `waits_since` count from `since`.
#[derive(Debug)]
pub(super) struct Progress {
    since: Instant,
    /// When the backend last read a piece.
    moved_at: AtomicU64,
    bytes: AtomicU64,
    /// Since when the backend has been waiting for the client, or [`NOT_WAITING`].
    waits_since: AtomicU64,
    /// The total time of earlier waits for the client.
    waited: AtomicU64,
    min_rate: Option<MinRate>,
    /// How long the client of a stream can pause.
    client_pause: Option<Duration>,
    /// `waited` and `bytes` at the start of the window. Only used by the timer.
    window_waited: AtomicU64,
    window_bytes: AtomicU64,
}

impl Progress {
    pub(super) fn new(min_rate: Option<MinRate>) -> Self {
        Self {
            since: Instant::now(),
            moved_at: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            waits_since: AtomicU64::new(NOT_WAITING),
            waited: AtomicU64::new(0),
            min_rate,
            client_pause: None,
            window_waited: AtomicU64::new(0),
            window_bytes: AtomicU64::new(0),
        }
    }

    /// Creates the progress of a body that has no minimum rate, and whose client can pause for `client_pause`.
    pub(super) fn for_stream(client_pause: Duration) -> Self {
        Self { client_pause: Some(client_pause), ..Self::new(None) }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(NOT_WAITING - 1)
    }

    /// Returns when to check the progress first.
    pub(super) fn first_check(&self, timeout: Duration) -> Duration {
        self.min_rate.map_or(timeout, |rate| timeout.min(rate.window))
    }

    /// Returns when to check again, or the error if one side has kept the other waiting for too long.
    pub(super) fn check(&self, timeout: Duration) -> Result<Duration, TimedOut> {
        let now = self.now();
        let waited = self.waited.load(Ordering::Acquire);
        let waits_since = self.waits_since.load(Ordering::Relaxed);
        let idle = Duration::from_millis(now.saturating_sub(self.moved_at.load(Ordering::Relaxed)));
        if idle >= timeout {
            return match self.client_pause {
                _ if waits_since == NOT_WAITING => Err(TimedOut::Backend),
                // The client can continue or finish at any time. After that, the backend must respond in time.
                Some(pause) if idle < pause => Ok(timeout.min(pause - idle)),
                _ => Err(TimedOut::Client),
            };
        }
        let again = timeout - idle;
        let Some(rate) = self.min_rate else { return Ok(again) };
        // While nobody waits for the client, the rate is not checked: the body may have ended, or the backend may not be
        // reading.
        let waits = now.checked_sub(waits_since);
        Ok(again.min(self.check_rate(rate, waited + waits.unwrap_or(0), waits.is_some())?))
    }

    fn check_rate(&self, rate: MinRate, waited: u64, waits: bool) -> Result<Duration, TimedOut> {
        let MinRate { bytes_a_second, window } = rate;
        let in_window = waited.saturating_sub(self.window_waited.load(Ordering::Relaxed));
        let left = window.saturating_sub(Duration::from_millis(in_window));
        if !waits || !left.is_zero() {
            return Ok(left.max(window / CHECKS_PER_WINDOW));
        }
        let bytes = self.bytes.load(Ordering::Relaxed);
        let received = bytes - self.window_bytes.load(Ordering::Relaxed);
        if received < bytes_a_second.saturating_mul(in_window) / 1000 {
            return Err(TimedOut::Client);
        }
        self.window_waited.store(waited, Ordering::Relaxed);
        self.window_bytes.store(bytes, Ordering::Relaxed);
        Ok(window)
    }
}

impl WatchRequest for Progress {
    fn waits_for_client(&self) {
        if self.waits_since.load(Ordering::Relaxed) == NOT_WAITING {
            self.waits_since.store(self.now(), Ordering::Relaxed);
        }
    }

    fn moved(&self, bytes: usize) {
        let now = self.now();
        self.moved_at.store(now, Ordering::Relaxed);
        // Only the task that polls the body writes to these.
        self.bytes.store(self.bytes.load(Ordering::Relaxed).saturating_add(bytes as u64), Ordering::Relaxed);
        let waits_since = self.waits_since.load(Ordering::Relaxed);
        if waits_since != NOT_WAITING {
            self.waits_since.store(NOT_WAITING, Ordering::Relaxed);
            // Release: a reader that sees this also sees the stores above. It can miss a wait, but not count one twice.
            self.waited.store(self.waited.load(Ordering::Relaxed) + (now - waits_since), Ordering::Release);
        }
    }
}
