//! Warnings about nodes whose clocks are too far from ours.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Minimum time between two warnings about one address.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);
/// Maximum number of addresses to remember. Beyond that, there are no warnings about new ones until some are forgotten.
const MAX_ADDRESSES: usize = 1024;

/// Warns about nodes whose clocks are too far from ours: at most once a minute for each address, so that retries do not
/// fill the log.
#[derive(Debug, Default)]
pub struct Clocks(Mutex<HashMap<IpAddr, Instant>>);

impl Clocks {
    /// Warns that a node at `address` sent a proof that is valid except for its time.
    pub fn warn(&self, address: IpAddr, ahead_by: i64, window: Duration) {
        if !self.is_due(address, Instant::now()) {
            return;
        }
        let (seconds, window) = (ahead_by.unsigned_abs(), window.as_secs());
        let side = if ahead_by > 0 { "ahead of" } else { "behind" };
        tracing::warn!(
            "the clock of the node at {address} is {seconds} s {side} ours, which is more than mesh_clock_window \
             ({window} s), so its connection was closed; synchronise both clocks with NTP"
        );
    }

    fn is_due(&self, address: IpAddr, now: Instant) -> bool {
        let mut warned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        warned.retain(|_, at| now.duration_since(*at) < WARNING_INTERVAL);
        let is_due = !warned.contains_key(&address) && warned.len() < MAX_ADDRESSES;
        if is_due {
            warned.insert(address, now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_is_warned_about_once_a_minute() {
        let clocks = Clocks::default();
        let (start, [one, other]) = (Instant::now(), [1, 2].map(|last| IpAddr::from([10, 0, 0, last])));
        for (address, seconds, expected) in
            [(one, 0, true), (one, 59, false), (other, 59, true), (one, 60, true), (other, 61, false)]
        {
            assert_eq!(clocks.is_due(address, start + Duration::from_secs(seconds)), expected, "{address} {seconds}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let (clocks, start) = (Clocks::default(), Instant::now());
        for number in 0..2 * u32::try_from(MAX_ADDRESSES).unwrap() {
            clocks.is_due(IpAddr::from(number.to_be_bytes()), start);
        }
        assert_eq!(clocks.0.lock().unwrap().len(), MAX_ADDRESSES);
        assert!(clocks.is_due([255, 0, 0, 1].into(), start + WARNING_INTERVAL));
    }
}
