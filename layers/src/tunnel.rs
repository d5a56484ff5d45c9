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
    any::Any,
    future::{Future, pending},
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::future::{Either, select, try_join};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Version, header::UPGRADE};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use pin_project_lite::pin_project;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
    time::{Instant, sleep_until},
};
use tower::{BoxError, Layer, Service};

use crate::{
    conn::{ConnInfo, OpenTunnel},
    durations::bounded,
    hop_by_hop::tokens,
};

/// How often a tunnel is looked at within its timeout.
const LOOKS: u32 = 4;

/// Joins the two connections of a request with `Upgrade` when the backend switches to a protocol that was asked for.
///
/// Stands inside of [`HopByHopLayer`](crate::hop_by_hop::HopByHopLayer), which lets no other `Upgrade` through. A 101
/// that nobody asked for is [`UnexpectedUpgrade`]. The tunnel is a task of its own; it ends when both sides have, when
/// no byte came from either for too long, or with the runtime, and keeps the connection's [`ConnInfo`] until then. Over
/// HTTP/2 either side is a stream of a connection that goes on beside it; one that is reset ends the tunnel.
#[derive(Debug, Clone)]
pub struct TunnelLayer {
    timeout: Duration,
    closing: Option<Closing>,
}

/// When tunnels are to be closed, once that is known.
type Closing = watch::Receiver<Option<Instant>>;

impl Default for TunnelLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl TunnelLayer {
    /// Tunnels may be without a byte for an hour: what Envoy allows a TCP connection, and HAProxy's documentation
    /// advises for `timeout tunnel`.
    pub fn new() -> Self {
        Self { timeout: Duration::from_secs(60 * 60), closing: None }
    }

    /// Lets `closer` close the tunnels.
    #[must_use]
    pub fn closed_by(mut self, closer: &TunnelCloser) -> Self {
        self.closing = Some(closer.0.subscribe());
        self
    }

    /// Tunnels may be without a byte, from either side, for `timeout`; it may be noticed up to a fourth later. Both
    /// connections are then closed.
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

/// Closes the tunnels of the layers that were given it, for example when their route is removed. Dropped, it closes none.
#[derive(Debug, Default)]
pub struct TunnelCloser(watch::Sender<Option<Instant>>);

impl TunnelCloser {
    /// One that has not closed anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Closes open tunnels, and later ones, once `grace` has passed from now.
    pub fn close_after(&self, grace: Duration) {
        self.0.send_replace(Some(Instant::now() + bounded(grace)));
    }
}

/// The service of [`TunnelLayer`].
#[derive(Debug, Clone)]
pub struct Tunnel<S> {
    inner: S,
    timeout: Duration,
    // Of this service alone, so that threads with services of their own share no count of references.
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
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let asked = request.headers().get(UPGRADE).cloned().map(|protocols| {
            Box::new(Asked {
                protocols,
                client: hyper::upgrade::on(&mut request),
                info: request.extensions().get().cloned(),
                is_stream: request.version() >= Version::HTTP_2,
                timeout: self.timeout,
                closing: self.closing.as_deref().cloned(),
            })
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
        // Boxed: few requests ask for one.
        asked: Option<Box<Asked>>,
    }
}

/// What a client has asked to switch to.
#[derive(Debug)]
struct Asked {
    protocols: HeaderValue,
    client: OnUpgrade,
    info: Option<ConnInfo>,
    /// A stream of HTTP/2, whose connection goes on.
    is_stream: bool,
    timeout: Duration,
    closing: Option<Closing>,
}

/// What must live as long as the tunnel to a backend does; in the extensions of its 101.
#[derive(Debug, Clone)]
pub(crate) struct Lease(#[expect(dead_code, reason = "held to be dropped")] Arc<dyn Any + Send + Sync>);

impl Lease {
    pub(crate) fn new(held: impl Any + Send + Sync) -> Self {
        Self(Arc::new(held))
    }
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
            let lease = response.extensions_mut().remove::<Lease>();
            // From here on, so that the connection is not idle between the end of the request and the tunnel.
            let open = asked.info.as_ref().filter(|_| asked.is_stream).map(|info| info.control().begin_tunnel());
            tokio::spawn(tunnel(*asked, hyper::upgrade::on(&mut response), open, lease));
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

async fn tunnel(asked: Asked, backend: OnUpgrade, open: Option<OpenTunnel>, _lease: Option<Lease>) {
    // Keeps the connection on record as long as the tunnel lasts.
    let _info = asked.info;
    match try_join(asked.client, backend).await {
        Ok((client, backend)) => {
            let copying = pin!(copy(client, backend, open.as_ref(), asked.timeout));
            if let Either::Right(_) = select(copying, pin!(closed(asked.closing))).await {
                tracing::debug!("tunnel closed");
            }
        }
        Err(error) => tracing::debug!(%error, "a connection ended before it became a tunnel"),
    }
}

async fn copy(client: Upgraded, backend: Upgraded, open: Option<&OpenTunnel>, timeout: Duration) {
    let moved = AtomicU32::new(0);
    let mut client = Watched { io: TokioIo::new(client), moved: &moved, open };
    let mut backend = Watched { io: TokioIo::new(backend), moved: &moved, open: None };
    let copied = pin!(tokio::io::copy_bidirectional(&mut client, &mut backend));
    let Either::Left((copied, _)) = select(copied, pin!(stillness(&moved, timeout))).await else {
        return tracing::debug!("tunnel ended: no byte for too long");
    };
    match copied {
        Ok((sent, received)) => tracing::debug!(sent, received, "tunnel ended"),
        Err(error) => tracing::debug!(%error, "tunnel broke"),
    }
}

/// Ends when the tunnel is to be closed.
async fn closed(closing: Option<Closing>) {
    let Some(mut closing) = closing else { return pending().await };
    loop {
        let at = *closing.borrow_and_update();
        let until = async {
            match at {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        match select(pin!(until), pin!(closing.changed())).await {
            Either::Left(_) => return,
            Either::Right((Ok(()), _)) => {}
            // Nobody is left to say otherwise.
            Either::Right((Err(_), until)) => return until.await,
        }
    }
}

/// Ends when `moved` has not changed for as long as `timeout`. Bytes cost no look at the clock this way.
async fn stillness(moved: &AtomicU32, timeout: Duration) {
    let (mut seen, mut since) = (moved.load(Ordering::Relaxed), Instant::now());
    while since.elapsed() < timeout {
        sleep_until((since + timeout).min(Instant::now() + timeout / LOOKS)).await;
        let now = moved.load(Ordering::Relaxed);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
    }
}

/// An IO that counts the pieces that pass it.
struct Watched<'a, IO> {
    io: IO,
    moved: &'a AtomicU32,
    /// Of a client's stream: the other streams of its connection share the timeout of bodies.
    open: Option<&'a OpenTunnel>,
}

impl<IO> Watched<'_, IO> {
    fn note<T>(&self, polled: &Poll<T>) {
        if polled.is_ready() {
            self.moved.fetch_add(1, Ordering::Relaxed);
            if let Some(open) = self.open {
                open.note_progress();
            }
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Watched<'_, IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        self.note(&polled);
        // hyper reads RST_STREAM with CANCEL as an end like others. The side that writes, which has been told before,
        // knows better; a connection of HTTP/1 has nothing to flush.
        if matches!(polled, Poll::Ready(Ok(())))
            && buf.filled().len() == before
            && buf.remaining() > 0
            && let Poll::Ready(Err(error)) = Pin::new(&mut self.io).poll_flush(cx)
        {
            return Poll::Ready(Err(error));
        }
        polled
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Watched<'_, IO> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        // A reader that is slow, but reads.
        self.note(&polled);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// A backend switched to a protocol that the client had not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the backend switched to a protocol that was not asked for")]
pub struct UnexpectedUpgrade;
