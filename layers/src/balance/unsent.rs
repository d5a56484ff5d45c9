use std::time::Duration;

use http::Request;

use super::Unreachable;
use crate::body::RequestBody;

/// What [`Balance`](super::Balance) has to know of an endpoint's error.
pub trait Unsent {
    /// The request, if it can be sent elsewhere without being sent twice: not a byte of it was sent.
    fn take_request(&mut self) -> Option<Request<RequestBody>>;

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
