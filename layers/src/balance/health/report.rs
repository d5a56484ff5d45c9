use std::{sync::Arc, time::Duration};

/// The state of an endpoint; see [`Health::state`](super::Health::state).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthState {
    /// The current outage; `None` while the endpoint is healthy.
    pub outage: Option<Outage>,
    /// Whether the endpoint gets no new requests; see [`Health::drain`](super::Health::drain).
    pub is_drained: bool,
    /// How long the endpoint has been healthy or drained, or how long the outage has lasted.
    pub unchanged_for: Duration,
    /// The most recent failure, even if the endpoint has recovered.
    pub last_failure: Option<LastFailure>,
}

/// The time from a failure of an endpoint until it has recovered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outage {
    /// Failures in a row. Requests that fail together count as one.
    pub failures: u32,
    /// How much longer the endpoint backs off; zero if it can be tried again.
    pub backoff_left: Duration,
    /// Whether a request or a background connection is testing the endpoint.
    pub is_being_tested: bool,
}

/// A failure of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastFailure {
    /// The error with its causes, on one line.
    pub error: Arc<str>,
    /// The time since the failure.
    pub ago: Duration,
}

/// A change of an endpoint's health, reported to the observer; see [`Health::with_observer`](super::Health::with_observer).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthChange {
    /// The endpoint was healthy, and has failed.
    Failed {
        /// The error with its causes, on one line.
        error: Arc<str>,
        /// How long the endpoint backs off, if there are others.
        backoff: Duration,
    },
    /// The endpoint has failed again before it recovered.
    FailedAgain {
        /// The error with its causes, on one line.
        error: Arc<str>,
        /// How long the endpoint backs off, if there are others.
        backoff: Duration,
        /// The number of failures in a row, including this one.
        failures: u32,
    },
    /// The endpoint is healthy again.
    Recovered {
        /// The time since the first failure.
        down_for: Duration,
        /// The number of failures in a row before the recovery.
        failures: u32,
    },
}
