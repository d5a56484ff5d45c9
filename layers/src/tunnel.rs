//! Upgrades: a tunnel between client and backend once the backend has answered 101 (RFC 9110, 7.8).
//!
//! ```
//! use http::{Request, Response};
//! use pmesh_layers::tunnel::{TunnelLayer, UnexpectedUpgrade};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! // In a proxy this is a pool of connections.
//! let backend = tower::service_fn(async |_: Request<()>| {
//!     Ok::<_, BoxError>(Response::builder().status(101).header("upgrade", "websocket").body(())?)
//! });
//! let service = ServiceBuilder::new().layer(TunnelLayer::new()).service(backend);
//!
//! let request = Request::get("/").header("connection", "upgrade").header("upgrade", "websocket").body(())?;
//! assert_eq!(service.clone().oneshot(request).await?.status(), 101);
//! // A backend that switches unasked is not believed.
//! let error = service.oneshot(Request::new(())).await.unwrap_err();
//! assert!(error.is::<UnexpectedUpgrade>());
//! # Ok(())
//! # }
//! ```

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header::UPGRADE};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tower::{BoxError, Layer, Service};

use crate::{conn::ConnInfo, hop_by_hop::tokens};

/// Joins the two connections of a request with `Upgrade` when the backend switches to a protocol that was asked for.
///
/// Stands inside of [`HopByHopLayer`](crate::hop_by_hop::HopByHopLayer), which lets no other `Upgrade` through. A 101
/// that nobody asked for is [`UnexpectedUpgrade`]. The tunnel is a task of its own; it ends when both sides have, or
/// with the runtime, and keeps the connection's [`ConnInfo`] until then.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct TunnelLayer;

impl TunnelLayer {
    /// The layer.
    pub fn new() -> Self {
        Self
    }
}

impl<S> Layer<S> for TunnelLayer {
    type Service = Tunnel<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Tunnel { inner }
    }
}

/// The service of [`TunnelLayer`].
#[derive(Debug, Clone)]
pub struct Tunnel<S> {
    inner: S,
}

impl<S> Tunnel<S> {
    inner_accessors!();
}

impl<S, B, R> Service<Request<B>> for Tunnel<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let asked = request.headers().get(UPGRADE).cloned().map(|protocols| Asked {
            protocols,
            client: hyper::upgrade::on(&mut request),
            info: request.extensions().get().cloned(),
        });
        ResponseFuture { response: self.inner.call(request), asked }
    }
}

pin_project! {
    /// The response future of [`Tunnel`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        response: F,
        asked: Option<Asked>,
    }
}

/// What a client has asked to switch to.
#[derive(Debug)]
struct Asked {
    protocols: HeaderValue,
    client: OnUpgrade,
    info: Option<ConnInfo>,
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.response.poll(cx)).map_err(Into::into)?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let Some(asked) = this.asked.take().filter(|asked| asked.allows(response.headers())) else {
                return Poll::Ready(Err(UnexpectedUpgrade.into()));
            };
            tokio::spawn(tunnel(asked, hyper::upgrade::on(&mut response)));
        }
        Poll::Ready(Ok(response))
    }
}

impl Asked {
    fn allows(&self, response: &HeaderMap) -> bool {
        let mut lines = response.get_all(UPGRADE).iter();
        match (lines.next(), lines.next()) {
            (Some(chosen), None) => tokens(&self.protocols).any(|one| one.eq_ignore_ascii_case(chosen.as_bytes())),
            _ => false,
        }
    }
}

async fn tunnel(asked: Asked, backend: OnUpgrade) {
    // Keeps the connection on record as long as the tunnel lasts.
    let _info = asked.info;
    match futures_util::future::try_join(asked.client, backend).await {
        Ok((client, backend)) => copy(client, backend).await,
        Err(error) => tracing::debug!(%error, "a connection ended before it became a tunnel"),
    }
}

async fn copy(client: Upgraded, backend: Upgraded) {
    match tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(backend)).await {
        Ok((sent, received)) => tracing::debug!(sent, received, "tunnel ended"),
        Err(error) => tracing::debug!(%error, "tunnel broke"),
    }
}

/// A backend switched to a protocol that the client had not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the backend switched to a protocol that was not asked for")]
pub struct UnexpectedUpgrade;
