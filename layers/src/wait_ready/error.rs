use std::time::Duration;

use thiserror::Error;

/// No service was ready for the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NotReady {
    /// The service did not become ready in time.
    #[error("the service was not ready within {0:?}")]
    TimedOut(Duration),
    /// The service is stopped.
    #[error("the service is stopped")]
    Stopped,
    /// Too many requests are waiting already.
    #[error("the service is not ready, and too many requests are waiting for it")]
    TooManyWaiting,
}

impl NotReady {
    /// When to try again. [`RespondLayer`](crate::respond::RespondLayer) sends it in `Retry-After`. It is the shortest time
    /// that the header can express.
    pub const RETRY_AFTER: Duration = Duration::from_secs(1);
}
