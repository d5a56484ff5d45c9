//! Adds connection information on servers other than `HttpServer`.

use std::{
    fmt,
    task::{Context, Poll},
};

use http::{Extensions, Request};
use tower::{BoxError, Layer, Service};

use super::ConnInfo;
use crate::{MissingExtension, ResponseFuture};

/// Adds a [`ConnInfo`] to requests on servers other than [`HttpServer`](crate::serve::HttpServer).
///
/// A closure makes the [`ConnInfo`] from the extensions that the server has added to the request. A request that
/// already has a `ConnInfo` keeps it. If the closure returns `None`, the request fails with [`MissingExtension`].
///
/// With `axum::serve`, use the client's address, which axum adds as `ConnectInfo`:
///
/// ```
/// use std::{future::IntoFuture, net::SocketAddr};
/// use axum::{Router, extract::ConnectInfo, routing::get};
/// use pmesh_layers::{conn::{ConnInfo, ConnInfoLayer}, forwarded::{ForwardedLayer, TrustedProxies}, respond::RespondLayer};
/// use tokio::net::TcpListener;
/// use tower::ServiceBuilder;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), std::io::Error> {
/// let connection = ConnInfoLayer::new(|extensions| {
///     let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
///     Some(ConnInfo::plain(*peer))
/// });
/// let app = Router::new().route("/", get(async || "hello")).layer(
///     ServiceBuilder::new()
///         .layer(RespondLayer::new())
///         .layer(connection)
///         .layer(ForwardedLayer::new(TrustedProxies::none())),
/// );
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let server = axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>());
/// tokio::spawn(server.into_future());
/// # Ok(())
/// # }
/// ```
///
/// If the closure creates a new `ConnInfo` for each request, its [`Control`](super::Control), and connections to
/// backends that belong to one client (as with NTLM), last no longer than the request. To keep them for as long as the
/// connection, let the server keep one `ConnInfo` per connection, and return clones of it.
#[derive(Clone, Copy)]
pub struct ConnInfoLayer<F> {
    make: F,
}

impl<F> ConnInfoLayer<F>
where
    F: Fn(&Extensions) -> Option<ConnInfo>,
{
    /// Creates a layer that makes each request's [`ConnInfo`] with `make`.
    pub fn new(make: F) -> Self {
        Self { make }
    }
}

impl<F> fmt::Debug for ConnInfoLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnInfoLayer").finish_non_exhaustive()
    }
}

impl<S, F: Clone> Layer<S> for ConnInfoLayer<F> {
    type Service = WithConnInfo<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        WithConnInfo { inner, make: self.make.clone() }
    }
}

/// The service of [`ConnInfoLayer`].
#[derive(Clone)]
pub struct WithConnInfo<S, F> {
    inner: S,
    make: F,
}

impl<S, F> WithConnInfo<S, F> {
    inner_accessors!();
}

impl<S: fmt::Debug, F> fmt::Debug for WithConnInfo<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WithConnInfo").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, F, B> Service<Request<B>> for WithConnInfo<S, F>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
    F: Fn(&Extensions) -> Option<ConnInfo>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if request.extensions().get::<ConnInfo>().is_none() {
            let Some(info) = (self.make)(request.extensions()) else {
                return ResponseFuture::error(MissingExtension::for_conn_info());
            };
            request.extensions_mut().insert(info);
        }
        ResponseFuture::inner(self.inner.call(request))
    }
}
