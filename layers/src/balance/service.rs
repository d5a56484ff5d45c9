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
/// **Where a request goes.** To each endpoint at most once (where there is one only, a second time if its connection
/// broke): whatever it is, if nothing of it was sent; any without a body, if the endpoint says that it has not processed it
/// (RFC 9113, 8.7); else only if it is idempotent (RFC 9110, 9.2.2) and without a body. Tries at endpoints that are well
/// are free. For others there is a budget: in the long run a fifth of all requests may be sent again, and each of which
/// nothing was done may go on once; there is a little more at the start.
///
/// A client that has a connection of its own to an endpoint, which it may have authenticated (see
/// [`Pool`](crate::pool::Pool)), is served there as long as the endpoint is well.
///
/// **How long it takes.** A request goes on to other endpoints until four of them did not let themselves be connected to in
/// time; pools that wait for a [`connect_share`](super::connect_share) each take one connect timeout in all. After a
/// response that took too long there is no other try, and after a failure the next endpoint has the time that is left.
///
/// **What becomes of an endpoint.** One that has failed is left alone for a second, then for two and so on up to thirty,
/// less up to a quarter, so that not all come back to it at the same time. Where the error says that it was
/// [`Unreachable`](super::Unreachable), as those of the pools do, it is then connected to beside the requests. Otherwise
/// one request at a time finds out whether it responds again; it is one that can be sent elsewhere, which it is after a
/// quarter of a second, unless none comes. When all have failed, all are tried, those first that failed least often, but
/// those that connections time out to: these are connected to every second beside the requests, and when there are no
/// others, requests end at once in [`AllUnreachable`](super::AllUnreachable). An endpoint that is the only one is always
/// asked. A response to a request without a body counts as a failure, too, when it breaks off.
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
