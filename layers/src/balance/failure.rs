use std::time::Duration;

use http::Request;

use super::Unreachable;
use crate::body::RequestBody;

/// What a failed attempt means for its request and its endpoint, as reported by a [`Classify`](super::Classify).
///
/// [`Failure::new`] is the cautious answer: the endpoint failed, and may have processed the request. The methods add
/// what else is known. A request can be retried with its body if no more than 64 KiB of that have been read.
///
/// ```
/// use pmesh_layers::balance::Failure;
///
/// // The connection was refused.
/// let failure = Failure::new().unsent();
/// // The client aborted its request. It is not retried, and the endpoint's health stays as it was.
/// let failure = Failure::new().blameless().no_retry();
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct Failure {
    pub(super) progress: Progress,
    /// The request itself, if it was returned.
    pub(super) request: Option<Request<RequestBody>>,
    pub(super) is_blameless: bool,
    pub(super) no_retry: bool,
    pub(super) is_connect_timeout: bool,
    pub(super) unreachable: Option<Unreachable>,
    pub(super) time_left: Option<Duration>,
}

/// How far a request got.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Progress {
    #[default]
    MaybeProcessed,
    Repeatable,
    Unprocessed,
    Unsent,
}

impl Failure {
    /// The endpoint failed, and may have processed the request, which is retried only if its method is idempotent.
    pub fn new() -> Self {
        Self::default()
    }

    /// The endpoint may have processed the request, but processing it again has the same effect. For idempotent gRPC
    /// calls, whose method is POST.
    pub fn repeatable(mut self) -> Self {
        self.progress = Progress::Repeatable;
        self
    }

    /// Nothing of the request was sent, for example because there was no connection. It is retried elsewhere whatever
    /// its method.
    pub fn unsent(mut self) -> Self {
        self.progress = Progress::Unsent;
        self
    }

    /// Like [`unsent`](Self::unsent), for services whose error returns the request.
    pub fn unsent_request(mut self, request: Request<RequestBody>) -> Self {
        self.request = Some(request);
        self.unsent()
    }

    /// The endpoint says, by GOAWAY or REFUSED_STREAM (RFC 9113, 8.7), that it did not process the request. It is
    /// retried elsewhere whatever its method.
    pub fn unprocessed(mut self) -> Self {
        self.progress = Progress::Unprocessed;
        self
    }

    /// The fault lies with the client or with this program, not with the endpoint, whose [`Health`](super::Health)
    /// stays as it is. Otherwise a client could get any endpoint left alone.
    pub fn blameless(mut self) -> Self {
        self.is_blameless = true;
        self
    }

    /// Another attempt would fail in the same way, or there is no time left.
    pub fn no_retry(mut self) -> Self {
        self.no_retry = true;
        self
    }

    /// The connection timed out. After four endpoints whose connection timed out, a request is not retried.
    pub fn connect_timeout(mut self) -> Self {
        self.is_connect_timeout = true;
        self.unsent()
    }

    /// There was no connection to the endpoint, and a background task can find out when it is back. Without this, a
    /// request has to.
    pub fn unreachable(mut self, unreachable: Unreachable) -> Self {
        self.is_connect_timeout |= unreachable.is_timeout();
        self.unreachable = Some(unreachable);
        self
    }

    pub(super) fn is_unsent(&self) -> bool {
        self.progress == Progress::Unsent
    }

    /// Whether the endpoint has certainly not processed the request.
    pub(super) fn is_without_effect(&self) -> bool {
        matches!(self.progress, Progress::Unprocessed | Progress::Unsent)
    }
}
