use std::{
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower::{BoxError, Service};

use super::{Classify, Endpoint, ResponseFuture, Rotation, endpoints::Endpoints};
use crate::body::{RequestBody, ResponseBody};

/// A service that sends requests to several endpoints in turn, and retries them elsewhere if an endpoint fails.
///
/// # Retries
///
/// A failed request is retried at other endpoints, at most once at each, if
/// - none of it was sent,
/// - it has no body, and the endpoint reports that it did not process the request (RFC 9113, 8.7), or
/// - it has no body, and its method is idempotent (RFC 9110, 9.2.2).
///
/// A body that a [`BufferBodyLayer`](crate::buffer_body::BufferBodyLayer) further out has read does not count as a body
/// here.
///
/// The errors of this crate's pools say which of these applies. For other services, such as hyper-util's `Client` or
/// tonic's `Channel`, use a [classifier](Self::classify). Without one, no request counts as unsent or unprocessed. With
/// one, requests with short bodies are retried like requests without a body.
///
/// If there is only one endpoint that is not drained, it is tried a second time when its connection breaks. Retries at
/// healthy endpoints are free. Retries at failed endpoints are limited by a budget: in the long run, a fifth of all
/// requests can be retried, and each unsent or unprocessed request can be retried once. The budget starts with a small
/// reserve.
///
/// A client that has its own connection to an endpoint, which it may have authenticated (see
/// [`Pool`](crate::pool::Pool)), stays with that endpoint while the endpoint is healthy.
///
/// # Time limits
///
/// A request fails once connections to four endpoints have timed out. If each pool waits for a
/// [`connect_share`](super::connect_share), this takes one connect timeout in total. After a response timeout, a request
/// is not retried. If an endpoint drops or refuses a request, the next one has the time that is left.
///
/// # Failed endpoints
///
/// A failed endpoint backs off: it gets no requests for one second. Each further failure doubles the back-off, up to
/// thirty seconds. Up to a quarter is taken off at random, so that not all nodes return to it at the same time. After
/// the back-off:
/// - If the error says that the endpoint was [`Unreachable`](super::Unreachable), as the errors of the pools do, a
///   background task connects to it.
/// - Otherwise one request at a time tests whether it responds again. This is preferably a request with a safe method
///   (RFC 9110, 9.2.1) and without a body, because it can be sent to a healthy endpoint as well if there is no response
///   within a quarter of a second. Any response makes the tested endpoint healthy, even one that arrives second. If the
///   other endpoint fails, the client gets the response of the tested one.
///
/// If all endpoints have failed, all are tried, starting with the one with the fewest failures. Endpoints whose
/// connections time out are left out: while requests arrive, a background task connects to them every second. If there are
/// no others, requests fail at once with [`AllUnreachable`](super::AllUnreachable). A single endpoint is always tried.
///
/// A [drained](super::Health::drain) endpoint gets no requests at all, as if it were not there. If all are drained, requests
/// fail with [`AllDrained`](super::AllDrained), which returns them. A
/// [`WaitReadyLayer`](crate::wait_ready::WaitReadyLayer) makes them wait instead.
///
/// A response that breaks off also counts as a failure, unless the request has a body.
///
/// An outcome counts only if it is newer than the last failure or recovery. Requests that fail together count as one
/// failure, and a response to a request that was sent before the failure does not end the outage. The state of an
/// endpoint is its [`Health`](super::Health). Several balances can share it, and it reports each change to an observer.
///
/// Clones are cheap, and share the round robin. If the endpoints differ from request to request, create a balance for
/// each with a [`Rotation`].
#[derive(Debug)]
pub struct Balance<S> {
    pub(super) endpoints: Arc<Endpoints<S>>,
}

impl<S> Balance<S> {
    /// Creates a balance of `endpoints`, used in turn. Their names appear in [`EndpointError`](super::EndpointError) and
    /// [`Attempts`](super::Attempts).
    pub fn new<N: Into<String>>(endpoints: impl IntoIterator<Item = (N, S)>) -> Self {
        let endpoints = endpoints.into_iter().map(|(name, service)| Endpoint::new(name.into(), service));
        Rotation::new().balance(endpoints.collect(), Vec::new())
    }

    /// Sets the classifier for errors and responses of the endpoints.
    #[must_use]
    pub fn classify(mut self, classifier: impl Classify) -> Self
    where
        S: Clone,
    {
        Arc::make_mut(&mut self.endpoints).classify = Some(Arc::new(classifier));
        self
    }
}

impl<S: Clone> Balance<S> {
    /// Makes an [`EndpointError`](super::EndpointError) hold the request if it can be sent again but no endpoint is left to
    /// send it to. The error then also holds the body, so take the request out of it, or drop it soon.
    #[must_use]
    pub fn return_requests(mut self) -> Self {
        Arc::make_mut(&mut self.endpoints).returns_requests = true;
        self
    }
}

impl Rotation {
    /// Creates a balance for one request. Endpoints in `then` are used only for retries, or if no endpoint in `first` is
    /// healthy.
    pub fn balance<S>(&self, first: Vec<Endpoint<S>>, then: Vec<Endpoint<S>>) -> Balance<S> {
        Balance { endpoints: Arc::new(Endpoints::new(first, then, self.clone())) }
    }
}

impl<S> Clone for Balance<S> {
    fn clone(&self) -> Self {
        Self { endpoints: Arc::clone(&self.endpoints) }
    }
}

impl<S, B, R> Service<Request<B>> for Balance<S>
where
    S: Service<Request<RequestBody>, Response = Response<R>, Future: Send> + Clone + Send + 'static,
    S::Error: Into<BoxError> + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = ResponseFuture<S>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.endpoints.budget().earn();
        let (parts, body) = request.into_parts();
        ResponseFuture::new(Arc::clone(&self.endpoints), parts, RequestBody::new(body))
    }
}
