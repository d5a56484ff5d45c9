use std::time::Duration;

use http::Request;
use tower::BoxError;

use super::{Unreachable, Unsent};
use crate::body::RequestBody;

/// What a failed attempt leaves behind: the answers of its error, and the error itself.
pub(super) struct Failure {
    /// Not a byte of it was sent.
    pub(super) request: Option<Request<RequestBody>>,
    pub(super) unreachable: Option<Unreachable>,
    pub(super) is_endpoint_failure: bool,
    pub(super) is_unprocessed: bool,
    pub(super) has_responded: bool,
    pub(super) is_timeout: bool,
    pub(super) time_left: Option<Duration>,
    pub(super) error: BoxError,
}

impl Failure {
    pub(super) fn of<E: Unsent + Into<BoxError>>(mut error: E) -> Self {
        Self {
            unreachable: error.unreachable(),
            is_endpoint_failure: error.is_endpoint_failure(),
            is_unprocessed: error.is_unprocessed(),
            has_responded: error.has_responded(),
            is_timeout: error.is_timeout(),
            time_left: error.time_left(),
            request: error.take_request(),
            error: error.into(),
        }
    }

    /// Whether a connection timed out.
    pub(super) fn is_connect_timeout(&self) -> bool {
        self.unreachable.as_ref().is_some_and(Unreachable::is_timeout)
    }
}
