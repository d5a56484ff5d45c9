use std::time::Duration;

use tower::BoxError;

use super::TimedOut;

/// Why there is no response. As a [`BoxError`] it is what it holds, for which it must be no [`Error`](std::error::Error)
/// itself.
#[derive(Debug)]
pub enum NoResponse {
    /// It took too long.
    TimedOut(TimedOut),
    /// It did not arrive in the time that attempts at other endpoints had left, which is not this endpoint's fault.
    NoTimeLeft,
    /// The inner service failed.
    Inner {
        /// The error of the inner service.
        error: BoxError,
        /// The time that was left.
        left: Duration,
    },
}

impl From<NoResponse> for BoxError {
    fn from(error: NoResponse) -> Self {
        match error {
            NoResponse::TimedOut(timed_out) => timed_out.into(),
            NoResponse::NoTimeLeft => TimedOut::Backend.into(),
            NoResponse::Inner { error, .. } => error,
        }
    }
}
