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

/// Spreads requests over several endpoints in turn, and retries them elsewhere if an endpoint fails.
///
/// # Retries
///
/// A failed request is retried at another endpoint, at most once at each, if
/// - nothing of it was sent,
/// - it has no body, and the endpoint says that it has not processed it (RFC 9113, 8.7), or
/// - it has no body, and its method is idempotent (RFC 9110, 9.2.2).
///
/// The errors of this crate's pools tell which is the case. For other services, such as hyper-util's `Client` or
/// tonic's `Channel`, a [classifier](Self::classify) can. Without one, no request counts as unsent or unprocessed. With
/// one, requests with short bodies are retried like those without.
///
/// A single endpoint is tried a second time if its connection broke. Retries at endpoints that are well are free. Retries
/// at the others take from a budget: in the long run, a fifth of all requests may be retried, and each unsent or
/// unprocessed request may be retried once. The budget starts with a small reserve.
///
/// A client that has its own connection to an endpoint, which it may have authenticated (see
/// [`Pool`](crate::pool::Pool)), stays with that endpoint while it is well.
///
/// # Time limits
///
/// After four endpoints whose connections timed out, a request gives up. If each pool waits for a
/// [`connect_share`](super::connect_share), this takes one connect timeout in total. After a response timeout there is
/// no further attempt. If an endpoint drops or refuses a request, the next one has the time that is left.
///
/// # Failed endpoints
///
/// An endpoint that has failed gets no requests for one second, then for two, and so on up to thirty. Each pause is
/// shortened at random by up to a quarter, so that not everyone returns at the same time. Then:
/// - If the error says that the endpoint was [`Unreachable`](super::Unreachable), as errors of the pools do, a
///   background task connects to it.
/// - Otherwise one request at a time tests whether it responds again, preferably one without a body and with a safe
///   method (RFC 9110, 9.2.1), which is also sent elsewhere after a quarter of a second. The failed endpoint is well if
///   it responds at all, even after the other one. If the other one fails, the request gets the response of the first.
///
/// If all endpoints have failed, all are tried, starting with the one with the fewest failures. Endpoints whose
/// connections time out are left out: a background task connects to them every second, and if there are no others,
/// requests fail at once with [`AllUnreachable`](super::AllUnreachable). A single endpoint is always tried. If a
/// request has no body, a response that breaks off also counts as a failure.
///
/// An outcome counts only if it is newer than the last failure or recovery. Requests that fail together count as one
/// failure, and a response to a request that was sent before the failure does not end the outage. The state of an
/// endpoint is its [`Health`](super::Health), which several balances may share, and which reports each change to an
/// observer.
///
/// Cloning only counts a reference, and clones share their turns. If the endpoints differ from request to request, use
/// a [`Rotation`], which makes a balance for each.
#[derive(Debug)]
pub struct Balance<S> {
    pub(super) endpoints: Arc<Endpoints<S>>,
}

impl<S> Balance<S> {
    /// Takes turns with `endpoints`. Their names are for [`Failed`](super::Failed) and [`Attempts`](super::Attempts).
    pub fn new<N: Into<String>>(endpoints: impl IntoIterator<Item = (N, S)>) -> Self {
        let endpoints = endpoints.into_iter().map(|(name, service)| Endpoint::new(name.into(), service));
        Rotation::new().balance(endpoints.collect(), Vec::new())
    }

    /// Has `classifier` tell what errors and responses of the endpoints mean.
    #[must_use]
    pub fn classify(mut self, classifier: impl Classify) -> Self
    where
        S: Clone,
    {
        Arc::make_mut(&mut self.endpoints).classify = Some(Arc::new(classifier));
        self
    }
}

impl Rotation {
    /// A balance between the endpoints of one request. Those of `then` get it when none of `first` is well, or when it is
    /// tried again.
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
