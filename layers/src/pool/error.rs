use std::{error::Error, fmt, sync::Arc};

use http::Request;
use tower::BoxError;

use super::Unreadable;
use crate::balance::Unsent;

/// A request that got no response.
pub struct PoolError<B> {
    step: Step,
    source: Source,
    /// Present when not a byte of it was sent.
    request: Option<Request<B>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Connect,
    Exchange,
    Response,
}

#[derive(Debug)]
enum Source {
    Own(BoxError),
    /// Of an attempt that several requests waited for.
    Shared(Arc<dyn Error + Send + Sync>),
}

impl<B> PoolError<B> {
    pub(super) fn connect(source: impl Into<BoxError>, request: Request<B>) -> Self {
        Self { step: Step::Connect, source: Source::Own(source.into()), request: Some(request) }
    }

    pub(super) fn connect_shared(source: Arc<dyn Error + Send + Sync>, request: Request<B>) -> Self {
        Self { step: Step::Connect, source: Source::Shared(source), request: Some(request) }
    }

    pub(super) fn exchange(source: impl Into<BoxError>, request: Option<Request<B>>) -> Self {
        Self { step: Step::Exchange, source: Source::Own(source.into()), request }
    }

    pub(super) fn response(source: Unreadable) -> Self {
        Self { step: Step::Response, source: Source::Own(source.into()), request: None }
    }

    /// Whether no connection to the endpoint could be made.
    pub fn is_connect(&self) -> bool {
        self.step == Step::Connect
    }

    /// Whether the exchange ended because the body of the request could not be read.
    pub fn is_clients_fault(&self) -> bool {
        let Source::Own(error) = &self.source else { return false };
        error.downcast_ref::<hyper::Error>().is_some_and(|error| error.is_user() || reset_by_user(error))
    }
}

/// Whether a stream of HTTP/2 ended because its request broke off, and neither by the peer nor for a fault of its.
fn reset_by_user(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<h2::Error>());
    cause.is_some_and(|error| error.is_reset() && !error.is_remote() && !error.is_library())
}

impl<B> Unsent<Request<B>> for PoolError<B> {
    fn take_request(&mut self) -> Option<Request<B>> {
        self.request.take()
    }

    fn is_endpoints_fault(&self) -> bool {
        !self.is_clients_fault()
    }
}

impl<B> fmt::Debug for PoolError<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolError")
            .field("step", &self.step)
            .field("source", &self.source)
            .field("unsent", &self.request.is_some())
            .finish()
    }
}

impl<B> fmt::Display for PoolError<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.step {
            Step::Connect => "no connection to the endpoint",
            Step::Exchange => "the endpoint broke off before it responded",
            Step::Response => "the endpoint's response cannot be read in one way only",
        })
    }
}

impl<B> Error for PoolError<B> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match &self.source {
            Source::Own(error) => &**error,
            Source::Shared(error) => &**error,
        })
    }
}
