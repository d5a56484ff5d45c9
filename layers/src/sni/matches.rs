use std::task::{Context, Poll};

use http::{Extensions, Request};
use tower::{BoxError, Layer, Service};

use crate::{MissingExtension, conn::ConnInfo, future::ResponseFuture, host::HostName};

/// Lets through only requests whose host is the SNI of their connection.
///
/// Put it inside [`HostLayer`](crate::host::HostLayer), which rejects hosts that are not served and adds the request's
/// [`HostName`] to its extensions. A request for another served host fails with [`Misdirected`], and should be answered
/// with 421 (RFC 9110, 15.5.20). Requests on plain connections pass. Requests without [`ConnInfo`], or over TLS without
/// [`HostName`], fail with [`MissingExtension`].
///
/// ```
/// use http::{Request, Response};
/// use pmesh_layers::{conn::ConnInfo, host::HostName, sni::{Misdirected, SniMatchLayer}};
/// use tower::{BoxError, ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let service = ServiceBuilder::new()
///     .layer(SniMatchLayer::new())
///     .service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(())));
///
/// let handshake: HostName = "a.example".parse()?;
/// for (host, passes) in [("a.example", true), ("b.example", false)] {
///     let request = Request::get("/")
///         .extension(ConnInfo::tls(([192, 0, 2, 1], 40000).into(), handshake.clone()))
///         .extension(host.parse::<HostName>()?)
///         .body(())?;
///     match service.clone().oneshot(request).await {
///         Ok(_) => assert!(passes),
///         Err(error) => assert!(!passes && error.is::<Misdirected>()),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SniMatchLayer;

impl SniMatchLayer {
    /// Creates the layer.
    pub fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for SniMatchLayer {
    type Service = SniMatch<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SniMatch { inner }
    }
}

/// The service of [`SniMatchLayer`].
#[derive(Debug, Clone)]
pub struct SniMatch<S> {
    inner: S,
}

impl<S> SniMatch<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for SniMatch<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match check(request.extensions()) {
            Ok(()) => ResponseFuture::inner(self.inner.call(request)),
            Err(error) => ResponseFuture::error(error),
        }
    }
}

fn check(extensions: &Extensions) -> Result<(), BoxError> {
    let info = extensions.get::<ConnInfo>().ok_or_else(|| MissingExtension::conn_info("SniMatchLayer"))?;
    let Some(server_name) = info.server_name() else { return Ok(()) };
    let host = extensions.get::<HostName>().ok_or_else(|| MissingExtension::host_name("SniMatchLayer"))?;
    if server_name == host { Ok(()) } else { Err(Misdirected.into()) }
}

/// A request that names a different host than the SNI of its TLS connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request names a different host than the SNI of its connection")]
pub struct Misdirected;
