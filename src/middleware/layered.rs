//! A boxed service, so that routes with different layers have the same type.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use ::http::{Request, Response};
use futures_util::{FutureExt, future::BoxFuture};
use pmesh_layers::body::{RequestBody, ResponseBody};
use tower::{BoxError, Layer, Service, ServiceExt};

/// A boxed service. Each call boxes its future.
#[derive(Clone)]
pub struct Layered(Arc<Call>);

type Call = dyn Fn(Request<RequestBody>) -> BoxFuture<'static, Answer> + Send + Sync;

/// The result of calling a [`Layered`].
pub type Answer = Result<Response<ResponseBody>, BoxError>;

/// A service that can be wrapped in the layers of a route.
pub trait Inner:
    Service<Request<RequestBody>, Response = Response<ResponseBody>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Inner for S where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

impl Layered {
    /// Boxes a service.
    pub fn new<S: Inner>(service: S) -> Self {
        Self(Arc::new(move |request| service.clone().oneshot(request).boxed()))
    }

    /// Puts a layer around the service, if there is one.
    #[must_use]
    pub(super) fn within<L: Layer<Self, Service: Inner>>(self, layer: Option<L>) -> Self {
        match layer {
            Some(layer) => Self::new(layer.layer(self)),
            None => self,
        }
    }
}

impl Service<Request<RequestBody>> for Layered {
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Answer>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        (self.0)(request)
    }
}

impl fmt::Debug for Layered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered").finish_non_exhaustive()
    }
}
