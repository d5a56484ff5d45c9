use std::{sync::Arc, time::Duration};

/// The state of an endpoint; see [`Health::state`](super::Health::state).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HealthState {
    /// The current outage; `None` while the endpoint is well.
    pub outage: Option<Outage>,
    /// How long the endpoint has been well, or how long the outage has lasted.
    pub unchanged_for: Duration,
    /// The most recent failure, even if the endpoint has recovered.
    pub last_failure: Option<LastFailure>,
}

/// A period in which an endpoint has failed and is not known to be well again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outage {
    /// Failures in a row. Requests that fail together count as one.
    pub failures: u32,
    /// How much longer the endpoint is left alone; zero if it may be tried again.
    pub left_alone_for: Duration,
    /// Whether a request or a background connection is testing it.
    pub is_tried: bool,
}

/// A failure of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastFailure {
    /// The error with its causes, on one line.
    pub error: Arc<str>,
    /// How long ago it was.
    pub ago: Duration,
}

/// A change of an endpoint's health, reported to the observer; see [`Health::observed`](super::Health::observed).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HealthChange {
    /// The endpoint was well, and has failed.
    Failed {
        /// The error with its causes, on one line.
        error: Arc<str>,
        /// How long the endpoint is left alone, if there are others.
        pause: Duration,
    },
    /// The endpoint had failed before, and is still not well.
    FailedAgain {
        /// The error with its causes, on one line.
        error: Arc<str>,
        /// How long the endpoint is left alone, if there are others.
        pause: Duration,
        /// Failures in a row, this one included.
        failures: u32,
    },
    /// The endpoint is well again.
    Recovered {
        /// The time since the first failure.
        down_for: Duration,
        /// How many failures in a row there were.
        failures: u32,
    },
}
