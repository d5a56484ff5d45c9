//! A response's own timeout, instead of the server's.

use std::{num::NonZeroU32, time::Duration};

/// A timeout in milliseconds, small enough for an atomic and for the state of each stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnTimeout(NonZeroU32);

impl OwnTimeout {
    /// `None` for 0.
    pub(super) fn from_millis(millis: u32) -> Option<Self> {
        NonZeroU32::new(millis).map(Self)
    }

    pub(super) fn millis(self) -> u32 {
        self.0.get()
    }
}

/// At least 1 ms, at most 49 days.
impl From<Duration> for OwnTimeout {
    fn from(timeout: Duration) -> Self {
        let millis = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        Self(NonZeroU32::new(millis).unwrap_or(NonZeroU32::MIN))
    }
}

impl From<OwnTimeout> for Duration {
    fn from(timeout: OwnTimeout) -> Self {
        Self::from_millis(timeout.0.get().into())
    }
}
