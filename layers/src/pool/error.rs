use std::fmt;

use http::Request;
use tower::BoxError;

use crate::balance::Unsent;

/// A request that got no response.
pub struct PoolError<B> {
    step: Step,
    source: BoxError,
    /// Present when not a byte of it was sent.
    request: Option<Request<B>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Connect,
    Exchange,
}

impl<B> PoolError<B> {
    pub(super) fn connect(source: impl Into<BoxError>, request: Request<B>) -> Self {
        Self { step: Step::Connect, source: source.into(), request: Some(request) }
    }

    pub(super) fn exchange(source: hyper::Error, request: Option<Request<B>>) -> Self {
        Self { step: Step::Exchange, source: source.into(), request }
    }

    /// Whether no connection to the endpoint could be made.
    pub fn is_connect(&self) -> bool {
        self.step == Step::Connect
    }

    /// Whether the exchange ended because the body of the request could not be read.
    pub fn is_clients_fault(&self) -> bool {
        self.source.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_user)
    }
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
        })
    }
}

impl<B> std::error::Error for PoolError<B> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.source)
    }
}
