use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::Request;
use tower::{BoxError, Service};

use super::RouteTable;
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

/// A request that leads to no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoRoute {
    /// The host has none for the path; or the request is one without the [`HostName`] that a
    /// [`HostLayer`](crate::host::HostLayer) puts into its extensions.
    #[error("no route for the path")]
    NotFound,
    /// The path leads to a route, and to another one, or to none, in the reading of some backends.
    ///
    /// They may decode what is percent-encoded (`%2F` and `%5C`, too, and a second time), read `\` as `/`, merge slashes,
    /// take what follows two of them at the beginning for a host, remove dot segments, cut off what follows a `;` in a
    /// segment, or a decoded `?`, `#` or NUL in the path: in any order. So `//admin`, `/x/..;/admin` and `/admin%2f..` may be
    /// `/admin` or not, and whoever guards the one route may not guard the other. Upper and lower case are different paths
    /// (RFC 3986, 6.2.2.1), as are names that a file system takes for the same.
    ///
    /// Paths whose readings all lead to one route pass unchanged. One with more than 64, or with 32 KiB of them, counts as
    /// ambiguous.
    #[error("some backends would read the path as that of another route")]
    Ambiguous,
}
