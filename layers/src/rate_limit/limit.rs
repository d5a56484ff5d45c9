use std::{num::NonZeroU32, time::Duration};

use governor::Quota;
use http::HeaderName;
use thiserror::Error;

const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// How many requests pass, and which of them are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    pub(super) quota: Quota,
    pub(super) key: RateLimitKey,
}

/// Which requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RateLimitKey {
    /// Requests of a client, by its [`ClientAddr`](crate::forwarded::ClientAddr). IPv6 clients are counted by /64 network, the
    /// smallest that a customer gets.
    Client,
    /// Requests with the same value of this header. Requests without it are counted together, too.
    ///
    /// Clients that can choose the value can also choose a new one for each request.
    Header(HeaderName),
    /// All requests.
    All,
}

/// A rate limit that makes no sense, or that cannot be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InvalidRateLimit {
    /// No request would pass.
    #[error("no request would ever pass")]
    Zero,
    /// The time is longer than a year.
    #[error("the time is longer than a year")]
    TooLong,
    /// There is less than a nanosecond for each request.
    #[error("there is less than a nanosecond for each request")]
    TooFast,
    /// A bucket of this size would need more than a year to fill.
    #[error("at this rate, the burst would take longer than a year to come back")]
    TooSlow,
}

impl RateLimit {
    /// Limits each client to this many requests in this time, and to the same number at once.
    ///
    /// # Errors
    ///
    /// If no request would pass, or the time is longer than a year, or too short.
    pub fn new(requests: u32, per: Duration) -> Result<Self, InvalidRateLimit> {
        let requests = NonZeroU32::new(requests).ok_or(InvalidRateLimit::Zero)?;
        if per > YEAR {
            return Err(InvalidRateLimit::TooLong);
        }
        let quota = Quota::with_period(per / requests.get()).ok_or(InvalidRateLimit::TooFast)?;
        Ok(Self { quota: quota.allow_burst(requests), key: RateLimitKey::Client })
    }

    /// Sets how many requests can come at once after a pause. Default: as many as pass in the whole time.
    ///
    /// # Errors
    ///
    /// If this is 0, or so many that they would take longer than a year to come back.
    pub fn burst(self, burst: u32) -> Result<Self, InvalidRateLimit> {
        let burst = NonZeroU32::new(burst).ok_or(InvalidRateLimit::Zero)?;
        let refill = self.quota.replenish_interval().checked_mul(burst.get());
        if refill.is_none_or(|refill| refill > YEAR) {
            return Err(InvalidRateLimit::TooSlow);
        }
        Ok(Self { quota: self.quota.allow_burst(burst), ..self })
    }

    /// Sets which requests are counted together. Default: requests of a client.
    #[must_use]
    pub fn key(self, key: RateLimitKey) -> Self {
        Self { key, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impossible_limits_are_rejected() {
        let limit = |requests, per, burst| {
            let limit = RateLimit::new(requests, Duration::from_secs(per));
            limit
                .and_then(|limit| limit.burst(burst))
                .map(|limit| limit.quota.replenish_interval())
                .map_err(|error| error.to_string())
        };
        assert_eq!(limit(100, 60, 20), Ok(Duration::from_millis(600)));
        assert_eq!(limit(1, 366 * 24 * 60 * 60, 1), Ok(YEAR));
        for (requests, per, burst, expected) in [
            (0, 60, 1, "no request would ever pass"),
            (1, 60, 0, "no request would ever pass"),
            (1, 367 * 24 * 60 * 60, 1, "the time is longer than a year"),
            (1, 0, 1, "there is less than a nanosecond for each request"),
            (u32::MAX, 1, 1, "there is less than a nanosecond for each request"),
            (1, 24 * 60 * 60, 367, "at this rate, the burst would take longer than a year to come back"),
        ] {
            assert_eq!(limit(requests, per, burst), Err(expected.to_owned()), "{requests} {per} {burst}");
        }
    }
}
