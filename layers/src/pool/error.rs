use std::{error::Error, fmt, future::Future, io, sync::Arc};

use h2::Reason;
use http::Request;
use tower::BoxError;

use super::{ConnectTimeout, Http2Error, InvalidResponse, origin::Origin};
#[cfg(feature = "tls")]
use crate::connect::TlsError;
#[cfg(feature = "node")]
use crate::node::NodeError;
use crate::{
    balance::{Failure, Unreachable},
    body::RequestBody,
    connect::ConnectError,
};

/// The error of a request that got no usable response.
pub struct PoolError {
    step: PoolStep,
    source: Source,
    /// The request, if no byte of it was sent. Boxed, so that a `Result` with a response stays small.
    request: Option<Box<Request<RequestBody>>>,
    unreachable: Option<Unreachable>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PoolStep {
    /// Reading the request body, before anything was sent.
    Body,
    Connect,
    /// Like [`Exchange`](PoolStep::Exchange), but the connection had been idle, and no byte of a response arrived.
    Stale,
    Exchange,
    Response,
}

#[derive(Debug)]
enum Source {
    Own(BoxError),
    /// The error of an attempt to connect that several requests waited for.
    Shared(Arc<dyn Error + Send + Sync>),
}

impl PoolError {
    pub(super) fn body(source: impl Into<BoxError>) -> Self {
        Self { step: PoolStep::Body, source: Source::Own(source.into()), request: None, unreachable: None }
    }

    pub(super) fn connect(source: impl Into<BoxError>, request: Request<RequestBody>) -> Self {
        Self {
            step: PoolStep::Connect,
            source: Source::Own(source.into()),
            request: Some(Box::new(request)),
            unreachable: None,
        }
    }

    pub(super) fn connect_shared(source: Arc<dyn Error + Send + Sync>, request: Request<RequestBody>) -> Self {
        Self {
            step: PoolStep::Connect,
            source: Source::Shared(source),
            request: Some(Box::new(request)),
            unreachable: None,
        }
    }

    pub(super) fn exchange(source: impl Into<BoxError>, request: Option<Request<RequestBody>>) -> Self {
        Self {
            step: PoolStep::Exchange,
            source: Source::Own(source.into()),
            request: request.map(Box::new),
            unreachable: None,
        }
    }

    pub(super) fn stale(source: hyper::Error, request: Option<Request<RequestBody>>) -> Self {
        Self { step: PoolStep::Stale, ..Self::exchange(source, request) }
    }

    pub(super) fn response(source: InvalidResponse) -> Self {
        Self { step: PoolStep::Response, source: Source::Own(source.into()), request: None, unreachable: None }
    }

    /// Adds a way to reconnect, which returns `None` once the pool has been dropped.
    pub(super) fn with_reconnect<F>(mut self, connect: impl Fn() -> Option<F> + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.unreachable = Some(Unreachable::new(self.is_connect_timeout(), connect));
        self
    }

    /// Restores the original form of an unsent request.
    pub(super) fn restored(mut self, origin: &Origin) -> Self {
        if let Some(request) = &mut self.request {
            origin.restore(request);
        }
        self
    }

    /// Takes the request out of the error, if no byte of it was sent.
    pub fn take_request(&mut self) -> Option<Request<RequestBody>> {
        self.request.take().map(|request| *request)
    }

    /// Classifies this error for a [`Balance`](crate::balance::Balance).
    pub(crate) fn failure(&mut self) -> Failure {
        let mut failure = Failure::new();
        if self.is_unprocessed() {
            failure = failure.unprocessed();
        }
        if let Some(request) = self.take_request() {
            failure = failure.unsent_request(request);
        }
        if !self.is_endpoint_failure() {
            failure = failure.blameless();
        }
        if self.has_responded() {
            failure = failure.no_retry();
        }
        match &self.unreachable {
            Some(unreachable) => failure.unreachable(unreachable.clone()),
            None => failure,
        }
    }

    /// Whether connecting to the endpoint failed.
    pub fn is_connect(&self) -> bool {
        self.step == PoolStep::Connect
    }

    /// Whether connecting to the endpoint timed out.
    pub fn is_connect_timeout(&self) -> bool {
        self.is_connect() && std::iter::successors(self.source(), |error| (*error).source()).any(is_timeout)
    }

    /// Whether this process or machine had no file descriptor, memory or source port left for a connection.
    pub fn is_out_of_resources(&self) -> bool {
        let mut cause = self.source();
        while let Some(error) = cause {
            if let Some(code) = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
                return is_exhaustion(code);
            }
            cause = error.source();
        }
        false
    }

    /// Whether the endpoint may speak another protocol, such as TLS: it sent something other than HTTP/1.1, or closed the
    /// connection without a response.
    pub fn may_be_wrong_protocol(&self) -> bool {
        let is_reset = |error: &hyper::Error| {
            let io = error.source().and_then(|cause| cause.downcast_ref()).map(io::Error::kind);
            io == Some(io::ErrorKind::ConnectionReset)
        };
        let unanswered = |error: &hyper::Error| error.is_parse() || error.is_incomplete_message() || is_reset(error);
        self.step == PoolStep::Exchange && !self.is_too_long() && self.hyper_error().is_some_and(unanswered)
    }

    /// Whether the exchange failed because the request body could not be read.
    pub fn is_client_failure(&self) -> bool {
        // An HTTP/2 stream that was reset neither by the peer nor because of an error of the peer.
        let reset = |error: &h2::Error| error.is_reset() && !error.is_remote() && !error.is_library();
        self.step == PoolStep::Body
            || self.hyper_error().is_some_and(hyper::Error::is_user)
            || self.http2_error().is_some_and(reset)
    }

    /// Whether the endpoint is at fault. It is not if the client or this machine failed, or if an idle connection was
    /// closed.
    pub fn is_endpoint_failure(&self) -> bool {
        !self.is_client_failure() && !self.is_out_of_resources() && !self.is_orderly() && !self.is_too_long()
    }

    /// Whether the endpoint reported that it did not process the request, so that it can be sent again, whatever its
    /// method (RFC 9113, 8.7).
    pub fn is_unprocessed(&self) -> bool {
        self.http2_error().is_some_and(|error| {
            // h2 reports the peer's GOAWAY only on streams above the last stream id that it names (RFC 9113, 6.8).
            error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM))
        })
    }

    /// Whether the endpoint sent a response that cannot be passed on. Another attempt would get the same.
    fn has_responded(&self) -> bool {
        self.step == PoolStep::Response || self.is_too_long()
    }

    /// Whether this can happen with a healthy endpoint: it closed the connection, or had no free stream.
    fn is_orderly(&self) -> bool {
        let reason = self.http2_error().and_then(h2::Error::reason);
        let unprocessed = self.is_unprocessed() && matches!(reason, Some(Reason::NO_ERROR | Reason::REFUSED_STREAM));
        // Servers close idle connections without knowing that a request is on its way (RFC 9112, 9.5).
        unprocessed || self.step == PoolStep::Stale
    }

    /// Whether the response head exceeds the limits.
    fn is_too_long(&self) -> bool {
        self.hyper_error().is_some_and(hyper::Error::is_parse_too_large)
    }

    fn hyper_error(&self) -> Option<&hyper::Error> {
        match &self.source {
            Source::Own(error) => error.downcast_ref(),
            Source::Shared(_) => None,
        }
    }

    fn http2_error(&self) -> Option<&h2::Error> {
        self.hyper_error()?.source()?.downcast_ref()
    }
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    #[cfg(feature = "tls")]
    if error.downcast_ref().is_some_and(TlsError::is_timeout) {
        return true;
    }
    #[cfg(feature = "node")]
    if error.downcast_ref().is_some_and(NodeError::is_timeout) {
        return true;
    }
    error.is::<ConnectTimeout>()
        || error.downcast_ref().is_some_and(|error| matches!(error, Http2Error::Timeout))
        || error.downcast_ref().is_some_and(ConnectError::is_timeout)
        || error.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::TimedOut)
}

#[cfg(target_os = "linux")]
fn is_exhaustion(code: i32) -> bool {
    use nix::errno::Errno;
    let spent = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM, Errno::EADDRNOTAVAIL, Errno::EAGAIN];
    spent.contains(&Errno::from_raw(code))
}

#[cfg(not(target_os = "linux"))]
fn is_exhaustion(_: i32) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_not_blamed_for_exhausted_resources_of_this_machine() {
        let own = [nix::libc::EMFILE, nix::libc::ENFILE, nix::libc::ENOBUFS, nix::libc::EADDRNOTAVAIL];
        let its = [nix::libc::ECONNREFUSED, nix::libc::ENETUNREACH, nix::libc::EHOSTUNREACH, nix::libc::ETIMEDOUT];
        for (code, own) in own.map(|code| (code, true)).into_iter().chain(its.map(|code| (code, false))) {
            let cause = io::Error::from_raw_os_error(code);
            let error = PoolError::connect(cause, Request::new(RequestBody::empty()));
            assert_eq!(error.is_out_of_resources(), own, "{code}");
            assert_eq!(error.is_endpoint_failure(), !own, "{code}");
        }
    }
}

impl fmt::Debug for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolError")
            .field("step", &self.step)
            .field("source", &self.source)
            .field("unsent", &self.request.is_some())
            .finish()
    }
}

impl fmt::Display for PoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.step {
            PoolStep::Body => "the request body cannot be read",
            PoolStep::Connect => "no connection to the endpoint",
            PoolStep::Stale => "the endpoint closed an idle connection as the request was sent",
            PoolStep::Exchange if self.is_too_long() => {
                "the head of the endpoint's response is too long or has too many headers"
            }
            PoolStep::Exchange if self.hyper_error().is_some_and(hyper::Error::is_parse) => {
                "the endpoint did not send an HTTP/1.1 response"
            }
            PoolStep::Exchange => "the endpoint broke off before it responded",
            PoolStep::Response => "the endpoint's response is malformed or ambiguous",
        })
    }
}

impl Error for PoolError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match &self.source {
            Source::Own(error) => &**error,
            Source::Shared(error) => &**error,
        })
    }
}
