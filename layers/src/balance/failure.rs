use std::time::Duration;

use http::Request;

use super::Unreachable;
use crate::body::RequestBody;

/// What a failed attempt means for its request and for its endpoint, as a [`Classify`](super::Classify) tells.
///
/// [`Failure::new`] is the cautious answer: the endpoint failed, and may have acted on the request. The methods add
/// what else is known. A request can be sent again with its body if no more than 64 KiB of that have been read.
///
/// ```
/// use pmesh_layers::balance::Failure;
///
/// // The connection was refused.
/// let failure = Failure::new().unsent();
/// // The client broke off. Its request is not sent again, and the endpoint is as well as before.
/// let failure = Failure::new().blameless().no_retry();
/// ```
#[derive(Debug, Default)]
#[must_use]
pub struct Failure {
    pub(super) progress: Progress,
    /// The request itself, if it was given back.
    pub(super) request: Option<Request<RequestBody>>,
    pub(super) is_blameless: bool,
    pub(super) no_retry: bool,
    pub(super) is_connect_timeout: bool,
    pub(super) unreachable: Option<Unreachable>,
    pub(super) time_left: Option<Duration>,
}

/// How far a request has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Progress {
    #[default]
    MaybeProcessed,
    Repeatable,
    Unprocessed,
    Unsent,
}

impl Failure {
    /// The endpoint failed, and may have acted on the request. It is sent again only if its method is idempotent.
    pub fn new() -> Self {
        Self::default()
    }

    /// The endpoint may have acted on the request, which has the same effect if it is sent again: for calls of gRPC that
    /// are idempotent, although their method is POST.
    pub fn repeatable(mut self) -> Self {
        self.progress = Progress::Repeatable;
        self
    }

    /// Nothing of the request was sent, as when there was no connection. It goes to another endpoint whatever its
    /// method.
    pub fn unsent(mut self) -> Self {
        self.progress = Progress::Unsent;
        self
    }

    /// As [`unsent`](Self::unsent), for services whose error gives the request back.
    pub fn unsent_request(mut self, request: Request<RequestBody>) -> Self {
        self.request = Some(request);
        self.unsent()
    }

    /// The endpoint says that it did nothing with the request, by GOAWAY or REFUSED_STREAM (RFC 9113, 8.7). It goes to
    /// another endpoint whatever its method.
    pub fn unprocessed(mut self) -> Self {
        self.progress = Progress::Unprocessed;
        self
    }

    /// It was not the endpoint's failure but the client's, who could otherwise have any endpoint left alone, or this
    /// program's. The endpoint's [`Health`](super::Health) stays as it is.
    pub fn blameless(mut self) -> Self {
        self.is_blameless = true;
        self
    }

    /// Another attempt would end in the same way, or has no time left.
    pub fn no_retry(mut self) -> Self {
        self.no_retry = true;
        self
    }

    /// The connection timed out. After four endpoints of which this is true, a request goes to no other.
    pub fn connect_timeout(mut self) -> Self {
        self.is_connect_timeout = true;
        self.unsent()
    }

    /// There was no connection to the endpoint, and a background task can find out when there is one again. Without
    /// this, a request has to.
    pub fn unreachable(mut self, unreachable: Unreachable) -> Self {
        self.is_connect_timeout |= unreachable.is_timeout();
        self.unreachable = Some(unreachable);
        self
    }

    pub(super) fn is_unsent(&self) -> bool {
        self.progress == Progress::Unsent
    }

    /// Whether the endpoint has certainly not acted on the request.
    pub(super) fn is_without_effect(&self) -> bool {
        matches!(self.progress, Progress::Unprocessed | Progress::Unsent)
    }
}
