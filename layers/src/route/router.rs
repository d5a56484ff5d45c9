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

/// The error of a request that no route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoRoute {
    /// The host has no route for the path, or the request lacks the [`HostName`] extension that a
    /// [`HostLayer`](crate::host::HostLayer) sets.
    #[error("no route for the path")]
    NotFound,
    /// The path matches a route as written, but another one or none as some backends read it.
    ///
    /// Backends may decode percent-encoding (`%2F`, `%5C` and `%u0061` included, and twice), read `\` as `/`, merge
    /// slashes, take what follows two or more leading slashes for a host, remove dot segments, or cut off what follows a
    /// `;` in a segment or a decoded `?`, `#` or NUL in the path, in any order. So `//admin`, `/x/..;/admin` and
    /// `/admin%2f..` may mean `/admin` or not, and could bypass the protection of that route. Case is significant
    /// (RFC 3986, 6.2.2.1), and so are differences between names that a file system treats as equal.
    ///
    /// What is left of the path without the prefix of its route is read as well, because that is what a backend sees
    /// behind a [`StripPrefix`](super::StripPrefix), or looks at itself: in `/api//x/admin`, some take `x` for a host
    /// once `/api` is gone, and serve `/admin`. A reading of it counts for the route of the prefix and the reading, here
    /// `/api/admin`.
    ///
    /// Paths whose readings all match the same route pass unchanged. A path with more than 64 readings, or with more
    /// than 32 KiB of them, counts as ambiguous.
    #[error("some backends would read the path as that of another route")]
    Ambiguous,
}
