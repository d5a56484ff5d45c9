use std::time::Duration;

use http::Request;

use super::Unreachable;
use crate::body::RequestBody;

/// The meaning of a failed attempt for its request and its endpoint, as returned by a [`Classify`](super::Classify).
///
/// [`Failure::new`] assumes the worst: the endpoint failed, and may have processed the request. The methods describe the
/// failure more precisely. A request with a body can be retried unless more than 64 KiB of the body have been read.
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
    /// The endpoint failed, and may have processed the request. The request is retried only if its method is idempotent.
    pub fn new() -> Self {
        Self::default()
    }

    /// The endpoint may have processed the request, but processing it twice has the same effect. Use this for idempotent
    /// gRPC calls, whose method is POST.
    pub fn repeatable(mut self) -> Self {
        self.progress = Progress::Repeatable;
        self
    }

    /// None of the request was sent, for example because there was no connection. It is retried elsewhere, whatever its
    /// method.
    pub fn unsent(mut self) -> Self {
        self.progress = Progress::Unsent;
        self
    }

    /// Like [`unsent`](Self::unsent), for services whose error returns the request.
    pub fn unsent_request(mut self, request: Request<RequestBody>) -> Self {
        self.request = Some(request);
        self.unsent()
    }

    /// The endpoint reported with GOAWAY or REFUSED_STREAM (RFC 9113, 8.7) that it did not process the request. The
    /// request is retried elsewhere, whatever its method.
    pub fn unprocessed(mut self) -> Self {
        self.progress = Progress::Unprocessed;
        self
    }

    /// The client or this program is at fault, not the endpoint. The endpoint's [`Health`](super::Health) does not
    /// change; otherwise a client could make any endpoint back off.
    pub fn blameless(mut self) -> Self {
        self.is_blameless = true;
        self
    }

    /// Another attempt would fail in the same way, or there is no time left.
    pub fn no_retry(mut self) -> Self {
        self.no_retry = true;
        self
    }

    /// The connection timed out. A request is not retried once connections to four endpoints have timed out.
    pub fn connect_timeout(mut self) -> Self {
        self.is_connect_timeout = true;
        self.unsent()
    }

    /// The endpoint could not be reached. A background task uses `unreachable` to find out when the endpoint is back.
    /// Without it, a request has to find out.
    pub fn unreachable(mut self, unreachable: Unreachable) -> Self {
        self.is_connect_timeout |= unreachable.is_timeout();
        self.unreachable = Some(unreachable);
        self
    }

    pub(super) fn is_unsent(&self) -> bool {
        self.progress == Progress::Unsent
    }

    /// Whether it is certain that the endpoint did not process the request.
    pub(super) fn is_without_effect(&self) -> bool {
        matches!(self.progress, Progress::Unprocessed | Progress::Unsent)
    }
}
