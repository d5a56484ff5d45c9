use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use http_body::Body;
use tower::{BoxError, Service};

use super::{BalancedBody, Endpoint, Once, ResponseFuture, Rotation, Unsent, endpoints::Endpoints};

/// Gives requests to several endpoints in turn, and to the next one when one fails.
///
/// A request goes to each endpoint at most once (where there is one only, a second time if its connection broke):
/// whatever it is, if nothing of it was sent; any without a body, if the endpoint says that it has not processed it
/// (RFC 9113, 8.7); else only if it is idempotent (RFC 9110, 9.2.2) and without a body. After a response that was too
/// long in coming there is one more try at most, so that a client waits twice as long at most. Tries at endpoints that
/// are well are free; for others there is a budget of a fifth of all requests, and a few more at the start.
///
/// A client that has a connection of its own to an endpoint, which it may have authenticated (see
/// [`Pool`](crate::pool::Pool)), is served there as long as the endpoint is well.
///
/// An endpoint that has failed is left alone for a second, then for two and so on up to thirty. After that time one
/// request at a time finds out whether it responds again; it is one that can be sent elsewhere when it does not, unless
/// none comes. When all have failed, all are tried, those first that failed least often. A response to a request
/// without a body counts as a failure, too, when it breaks off.
///
/// Cloning counts a reference; clones take turns together. Where the endpoints are not the same for all requests, a
/// [`Rotation`] makes a balance for each.
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
}

impl<S> Clone for Balance<S> {
    fn clone(&self) -> Self {
        Self { endpoints: Arc::clone(&self.endpoints) }
    }
}

impl<S, B, R> Service<Request<B>> for Balance<S>
where
    S: Service<Request<Once<B>>, Response = Response<R>> + Clone,
    S::Error: Unsent<Request<Once<B>>> + Into<BoxError>,
    B: Body,
{
    type Response = Response<BalancedBody<R>>;
    type Error = BoxError;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.endpoints.budget().earn();
        ResponseFuture::new(Arc::clone(&self.endpoints), request.map(Once::from))
    }
}
