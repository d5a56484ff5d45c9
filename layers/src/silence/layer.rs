//! The layer that opens the gate.

use std::task::{Context, Poll};

use http::Request;
use tower::{Layer, Service};

use crate::conn::ConnInfo;

/// A layer that opens the gate of a request's connection, so that the client can get a response.
///
/// Put it inside the layers that decide whether the client named a served host. Without it, all responses on a
/// connection whose gate is not open from the start are withheld: the client receives nothing, and the server returns
/// [`Ended::Withheld`](crate::serve::Ended::Withheld). A request without [`ConnInfo`] passes unchanged.
///
/// ```
/// use http::{Request, Response};
/// use pmesh_layers::{conn::ConnInfo, silence::OpenGateLayer};
/// use tower::{BoxError, ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let service = ServiceBuilder::new()
///     .layer(OpenGateLayer::new())
///     .service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(())));
/// let info = ConnInfo::plain(([192, 0, 2, 1], 40000).into());
/// assert!(!info.control().is_open());
/// service.oneshot(Request::get("/").extension(info.clone()).body(())?).await?;
/// assert!(info.control().is_open());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct OpenGateLayer;

impl OpenGateLayer {
    /// Creates the layer.
    pub fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for OpenGateLayer {
    type Service = OpenGate<S>;

    fn layer(&self, inner: S) -> Self::Service {
        OpenGate { inner }
    }
}

/// The service of [`OpenGateLayer`].
#[derive(Debug, Clone)]
pub struct OpenGate<S> {
    inner: S,
}

impl<S> OpenGate<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for OpenGate<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if let Some(info) = request.extensions().get::<ConnInfo>() {
            info.control().open_gate();
        }
        self.inner.call(request)
    }
}
