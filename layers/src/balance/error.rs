use std::time::Duration;

use tower::BoxError;

use super::{Unreachable, failure::Failure};

/// What [`Balance`](super::Balance) has to know of an endpoint's error.
pub trait Unsent<R> {
    /// The request, if it can be sent elsewhere without being sent twice: not a byte of it was sent.
    fn take_request(&mut self) -> Option<R>;

    /// Whether the endpoint failed, and not the client, who could otherwise have any endpoint left alone.
    fn is_endpoint_failure(&self) -> bool {
        true
    }

    /// Whether the endpoint has said that it did nothing with the request, so that it may be sent again whatever its
    /// method (RFC 9113, 8.7).
    fn is_unprocessed(&self) -> bool {
        false
    }

    /// Whether the endpoint responded, but with something that cannot be passed on. Another attempt would get the same.
    fn has_responded(&self) -> bool {
        false
    }

    /// Whether the time for a response ran out, so that none is left for another attempt.
    fn is_timeout(&self) -> bool {
        false
    }

    /// Time for a response that was left when the attempt failed; `None` without a limit.
    ///
    /// If the request is sent again, it carries this as [`TimeLeft`](super::TimeLeft).
    fn time_left(&self) -> Option<Duration> {
        None
    }

    /// How to try connecting again, if there was no connection to the endpoint. It is kept until the endpoint is well.
    ///
    /// `None` if only another request can tell whether the endpoint is back.
    fn unreachable(&self) -> Option<Unreachable> {
        None
    }
}

/// A request that got no response from any endpoint that it was sent to.
#[derive(Debug, thiserror::Error)]
#[error("{endpoint} did not respond")]
pub struct Failed {
    endpoint: String,
    attempts: u32,
    is_endpoint_failure: bool,
    source: BoxError,
}

impl Failed {
    pub(super) fn new<R>(endpoint: &str, attempts: u32, failure: Failure<R>) -> Self {
        let Failure { is_endpoint_failure, error: source, .. } = failure;
        Self { endpoint: endpoint.to_owned(), attempts, is_endpoint_failure, source }
    }

    /// The name of the endpoint that was tried last.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// How often the request was sent, or was to be sent.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether that was the endpoint's failure, which its [`Health`](super::Health) knows of.
    pub fn is_endpoint_failure(&self) -> bool {
        self.is_endpoint_failure
    }

    /// What went wrong there, as the service of the endpoint has it.
    pub fn cause(&self) -> &BoxError {
        &self.source
    }
}

/// A [`Balance`](super::Balance) without endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no endpoint")]
pub struct NoEndpoint;

/// The error of a [`Balance`](super::Balance) whose connections all time out.
///
/// Requests do not wait for its endpoints. Connections are tried again in the background, every second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no endpoint can be reached: connections to all of them time out, and are tried again every second")]
pub struct AllUnreachable;
