use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header::UPGRADE};
use pin_project_lite::pin_project;
use tower::{BoxError, Layer, Service};

use super::{MissingUpgrade, TunnelCloser, UnexpectedUpgrade, closer::Closing, copy::tunnel, side::Side};
use crate::{durations::bounded, hop_by_hop::tokens, max_in_flight::Counted};

/// Connects client and backend if the backend switches to a protocol that the client requested.
///
/// Put it inside [`HopByHopLayer`](crate::hop_by_hop::HopByHopLayer), which decides which `Upgrade` is passed on. It
/// works on any hyper server that allows upgrades; on others, a 101 becomes [`MissingUpgrade`]. A 101 that was not
/// requested becomes [`UnexpectedUpgrade`].
///
/// Each tunnel is a task of its own. It ends when both sides have ended, when neither has sent a byte for too long, or
/// with the runtime. Until then it keeps the client's [`ConnInfo`](crate::conn::ConnInfo). Over HTTP/2, each side is a
/// stream, and its connection continues without it; a reset of the stream ends the tunnel.
///
/// Services that respond with 101 and handle the upgrade themselves, such as axum's `WebSocketUpgrade`, work inside
/// this layer too. Their tunnels have no timeout or closer.
///
/// ```
/// use http::{Request, Response};
/// use pmesh_layers::upgrade::{TunnelLayer, UnexpectedUpgrade};
/// use tower::{BoxError, ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// // In a proxy this is a pool of connections.
/// let backend = tower::service_fn(async |_: Request<()>| {
///     Ok::<_, BoxError>(Response::builder().status(101).header("upgrade", "websocket").body(())?)
/// });
/// let service = ServiceBuilder::new().layer(TunnelLayer::new()).service(backend);
///
/// let request = Request::get("/").header("connection", "upgrade").header("upgrade", "websocket").body(())?;
/// assert_eq!(service.clone().oneshot(request).await?.status(), 101);
/// // A backend that switches without being asked is rejected.
/// let error = service.oneshot(Request::new(())).await.unwrap_err();
/// assert!(error.is::<UnexpectedUpgrade>());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TunnelLayer {
    timeout: Duration,
    closing: Option<Closing>,
}

impl Default for TunnelLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl TunnelLayer {
    /// Creates the layer.
    pub fn new() -> Self {
        Self { timeout: Duration::from_secs(60 * 60), closing: None }
    }

    /// Lets `closer` close the tunnels.
    #[must_use]
    pub fn closed_by(mut self, closer: &TunnelCloser) -> Self {
        self.closing = Some(closer.subscribe());
        self
    }

    /// Sets the maximum time without a byte from either side. Default: 1 hour, as in Envoy for TCP connections, and as
    /// HAProxy's documentation recommends for `timeout tunnel`.
    ///
    /// Both connections are then closed, up to a quarter of this time later.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = bounded(timeout);
        self
    }
}

impl<S> Layer<S> for TunnelLayer {
    type Service = Tunnel<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Tunnel { inner, timeout: self.timeout, closing: self.closing.clone().map(Arc::new) }
    }
}

/// The service of [`TunnelLayer`].
#[derive(Debug, Clone)]
pub struct Tunnel<S> {
    inner: S,
    timeout: Duration,
    // Owned by this service alone, so that threads with services of their own share no reference count.
    closing: Option<Arc<Closing>>,
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
    type Future = TunnelFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let requested = request.headers().get(UPGRADE).cloned().map(|protocols| {
            Box::new(Requested {
                protocols,
                client: Side::client(&request),
                timeout: self.timeout,
                closing: self.closing.as_deref().cloned(),
                counted: request.extensions().get().cloned(),
            })
        });
        TunnelFuture { response: self.inner.call(request), requested }
    }
}

/// The protocols that a client has requested, and what a tunnel needs.
#[derive(Debug)]
struct Requested {
    protocols: HeaderValue,
    client: Option<Side>,
    timeout: Duration,
    closing: Option<Closing>,
    /// Kept until the tunnel ends.
    counted: Option<Counted>,
}

impl Requested {
    fn allows(&self, response: &HeaderMap) -> bool {
        let mut lines = response.get_all(UPGRADE).iter();
        match (lines.next(), lines.next()) {
            (Some(chosen), None) => tokens(&self.protocols).any(|one| one.eq_ignore_ascii_case(chosen.as_bytes())),
            _ => false,
        }
    }
}

pin_project! {
    /// The response future of [`Tunnel`].
    #[derive(Debug)]
    pub struct TunnelFuture<F> {
        #[pin]
        response: F,
        // Boxed, because few requests are upgrades.
        requested: Option<Box<Requested>>,
    }
}

impl<F, R, E> Future for TunnelFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.response.poll(cx)).map_err(Into::into)?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let Some(requested) = this.requested.take().filter(|requested| requested.allows(response.headers())) else {
                return Poll::Ready(Err(UnexpectedUpgrade.into()));
            };
            let Requested { client, timeout, closing, counted, .. } = *requested;
            // Without a backend's side, the service handles the upgrade itself.
            if let Some(backend) = Side::backend(&mut response) {
                let Some(mut client) = client else { return Poll::Ready(Err(MissingUpgrade.into())) };
                // Counted from here on, so that the connection is not idle between the end of the request and the
                // tunnel.
                client.begin();
                tokio::spawn(async move {
                    tunnel(client, backend, timeout, closing).await;
                    drop(counted);
                });
            }
        }
        Poll::Ready(Ok(response))
    }
}
