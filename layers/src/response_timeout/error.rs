use std::time::Duration;

use tower::BoxError;

use super::TimedOut;

/// The error of a [`ResponseTimeout`](super::ResponseTimeout).
///
/// It does not implement [`Error`](std::error::Error), so that converting it to a [`BoxError`] can yield the error inside.
#[derive(Debug)]
pub enum NoResponse {
    /// There was no response in time.
    TimedOut(TimedOut),
    /// There was no response in the time that attempts at other endpoints had left. The endpoint is not to blame.
    NoTimeLeft,
    /// The inner service failed.
    Inner {
        /// The error of the inner service.
        error: BoxError,
        /// The time left when it failed.
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
