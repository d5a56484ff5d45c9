use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::Request;
use tower::{BoxError, Service};

use super::{NoRoute, RouteTable};
use crate::{call::Call, future::ResponseFuture, host::HostName};

/// Sends each request to the service of its most specific route.
///
/// Takes the host from the [`HostName`] that [`HostLayer`](crate::host::HostLayer) has put into the extensions. Without a
/// route the error is [`NoRoute`]. Cloning counts a reference.
#[derive(Debug)]
pub struct Router<S> {
    table: Arc<RouteTable<S>>,
}

impl<S> Router<S> {
    /// Routes by `table`.
    pub fn new(table: impl Into<Arc<RouteTable<S>>>) -> Self {
        Self { table: table.into() }
    }
}

impl<S> Clone for Router<S> {
    fn clone(&self) -> Self {
        Self { table: Arc::clone(&self.table) }
    }
}

impl<S, B> Service<Request<B>> for Router<S>
where
    S: Service<Request<B>> + Clone,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<Call<S, Request<B>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // Which service must be ready is known with the request only.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let host = request.extensions().get::<HostName>();
        let path = request.uri().path();
        match host.ok_or(NoRoute::NotFound).and_then(|host| self.table.find(host.as_str(), path)) {
            Ok(service) => ResponseFuture::inner(Call::new(&mut service.clone(), request)),
            Err(error) => ResponseFuture::error(error),
        }
    }
}
