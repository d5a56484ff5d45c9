//! A limit to how long a backend may keep a request waiting for the head of its response.
//!
//! ```
//! use std::time::Duration;
//! use http::Request;
//! use http_body_util::Full;
//! use pmesh_layers::response_timeout::{NoResponse, ResponseTimeoutLayer, TimedOut};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! let service = ServiceBuilder::new()
//!     .layer(ResponseTimeoutLayer::new(Duration::from_secs(60)))
//!     .service_fn(async |_: Request<_>| std::future::pending::<Result<(), BoxError>>().await);
//! let error = service.oneshot(Request::new(Full::new(&b"body"[..]))).await.unwrap_err();
//! assert!(matches!(error, NoResponse::TimedOut(TimedOut::Backend)));
//! # Ok(())
//! # }
//! ```

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use http::Request;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};
use tower::{BoxError, Layer, Service};

use crate::{
    balance::Unsent,
    conn::{ConnInfo, Control},
};

/// Ends requests in [`TimedOut`] when nothing has moved for a time and there is no response yet.
///
/// Around each endpoint of a [`Balance`](crate::balance::Balance) it is a limit to each attempt, and an endpoint that
/// hangs is one that failed.
///
/// The time is counted from the last piece of the request's body, so a large upload may take as long as it takes. The
/// response's body is not limited here: [`HttpServer::body_timeout`](crate::serve::HttpServer::body_timeout) is for it.
#[derive(Debug, Clone, Copy)]
pub struct ResponseTimeoutLayer {
    timeout: Duration,
}

impl ResponseTimeoutLayer {
    /// Waits for `timeout`.
    pub fn new(timeout: Duration) -> Self {
        Self { timeout }
    }
}

impl<S> Layer<S> for ResponseTimeoutLayer {
    type Service = ResponseTimeout<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ResponseTimeout { inner, timeout: self.timeout }
    }
}

/// The service of [`ResponseTimeoutLayer`].
#[derive(Debug, Clone)]
pub struct ResponseTimeout<S> {
    inner: S,
    timeout: Duration,
}

impl<S> ResponseTimeout<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for ResponseTimeout<S>
where
    S: Service<Request<WatchedBody<B>>>,
    B: Body,
{
    type Response = S::Response;
    type Error = NoResponse<S::Error>;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(NoResponse::Inner)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // Most requests have no body; nothing is shared for them.
        let progress = (!request.body().is_end_stream()).then(|| {
            let connection = request.extensions().get().map(ConnInfo::control).cloned();
            Arc::new(Progress::new(connection))
        });
        let response = self.inner.call(request.map(|inner| WatchedBody { inner, progress: progress.clone() }));
        ResponseFuture { response, timer: sleep(self.timeout), timeout: self.timeout, progress }
    }
}

pin_project! {
    /// The response future of [`ResponseTimeout`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        response: F,
        #[pin]
        timer: Sleep,
        timeout: Duration,
        progress: Option<Arc<Progress>>,
    }
}

impl<F, T, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, NoResponse<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(response) = this.response.poll(cx) {
            return Poll::Ready(response.map_err(NoResponse::Inner));
        }
        loop {
            ready!(this.timer.as_mut().poll(cx));
            let Some(progress) = this.progress else {
                return Poll::Ready(Err(NoResponse::TimedOut(TimedOut::Backend)));
            };
            let idle = progress.idle_for();
            if idle >= *this.timeout {
                return Poll::Ready(Err(NoResponse::TimedOut(progress.culprit())));
            }
            this.timer.as_mut().reset(Instant::now() + (*this.timeout - idle));
        }
    }
}

/// How far a request's body has come.
#[derive(Debug)]
struct Progress {
    since: Instant,
    /// When the last piece moved, in milliseconds after `since`.
    moved_at: AtomicU64,
    /// The backend would take more, the client does not send it.
    waiting_for_client: AtomicBool,
    /// Which a stream of an upload keeps alive even if nothing comes back.
    connection: Option<Control>,
}

impl Progress {
    fn new(connection: Option<Control>) -> Self {
        let (moved_at, waiting_for_client) = (AtomicU64::new(0), AtomicBool::new(false));
        Self { since: Instant::now(), moved_at, waiting_for_client, connection }
    }

    fn moved(&self) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.moved_at.store(now, Ordering::Relaxed);
        if let Some(connection) = &self.connection {
            connection.note_progress();
        }
    }

    fn idle_for(&self) -> Duration {
        self.since.elapsed().saturating_sub(Duration::from_millis(self.moved_at.load(Ordering::Relaxed)))
    }

    fn culprit(&self) -> TimedOut {
        if self.waiting_for_client.load(Ordering::Relaxed) { TimedOut::Client } else { TimedOut::Backend }
    }
}

pin_project! {
    /// A request body that tells its [`ResponseTimeout`] when a piece of it has moved.
    #[derive(Debug)]
    pub struct WatchedBody<B> {
        #[pin]
        inner: B,
        progress: Option<Arc<Progress>>,
    }
}

impl<B: Body> Body for WatchedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let polled = this.inner.poll_frame(cx);
        if let Some(progress) = this.progress {
            progress.waiting_for_client.store(polled.is_pending(), Ordering::Relaxed);
            if polled.is_ready() {
                progress.moved();
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Nothing moved for too long before the head of a response came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimedOut {
    /// The backend neither read nor answered.
    #[error("the backend did not respond in time")]
    Backend,
    /// The client did not send the rest of its request.
    #[error("the client did not send the rest of its request in time")]
    Client,
}

/// Why there is no response. As a [`BoxError`] it is what it holds.
#[derive(Debug)]
pub enum NoResponse<E> {
    /// It was too long in coming.
    TimedOut(TimedOut),
    /// The inner service failed.
    Inner(E),
}

impl<E: Into<BoxError>> From<NoResponse<E>> for BoxError {
    fn from(error: NoResponse<E>) -> Self {
        match error {
            NoResponse::TimedOut(timed_out) => timed_out.into(),
            NoResponse::Inner(error) => error.into(),
        }
    }
}

impl<B, E: Unsent<Request<WatchedBody<B>>>> Unsent<Request<B>> for NoResponse<E> {
    fn take_request(&mut self) -> Option<Request<B>> {
        match self {
            Self::TimedOut(_) => None,
            Self::Inner(error) => Some(error.take_request()?.map(|body| body.inner)),
        }
    }

    fn is_endpoints_fault(&self) -> bool {
        match self {
            Self::TimedOut(timed_out) => *timed_out == TimedOut::Backend,
            Self::Inner(error) => error.is_endpoints_fault(),
        }
    }

    fn is_unprocessed(&self) -> bool {
        matches!(self, Self::Inner(error) if error.is_unprocessed())
    }

    fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::{BodyExt, StreamBody};
    use tower::ServiceExt;

    const TIMEOUT: Duration = Duration::from_secs(60);

    /// A body of pieces that come `every` so often; endless where `count` is `None`.
    fn slow_body(every: Duration, count: usize) -> impl Body<Data = Bytes, Error = std::convert::Infallible> {
        StreamBody::new(futures_util::stream::unfold(count, move |left| async move {
            sleep(every).await;
            (left > 0).then(|| (Ok(Frame::data(Bytes::from_static(b"x"))), left - 1))
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn an_upload_may_take_long_as_long_as_it_moves() {
        let reads = ResponseTimeoutLayer::new(TIMEOUT).layer(tower::service_fn(async |request: Request<_>| {
            let request: Request<WatchedBody<_>> = request;
            Ok::<_, BoxError>(Box::pin(request.into_body()).collect().await?.to_bytes().len())
        }));
        assert_eq!(reads.oneshot(Request::new(slow_body(TIMEOUT / 2, 10))).await.unwrap(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_holds_up_the_request_is_named() {
        let reads = ResponseTimeoutLayer::new(TIMEOUT).layer(tower::service_fn(async |request: Request<_>| {
            let request: Request<WatchedBody<_>> = request;
            Ok::<_, BoxError>(Box::pin(request.into_body()).collect().await?.to_bytes().len())
        }));
        let error = reads.oneshot(Request::new(slow_body(TIMEOUT * 2, 10))).await.unwrap_err();
        assert!(matches!(error, NoResponse::TimedOut(TimedOut::Client)));

        let hangs = ResponseTimeoutLayer::new(TIMEOUT).layer(tower::service_fn(async |request: Request<_>| {
            let _held: Request<WatchedBody<_>> = request;
            std::future::pending::<Result<(), BoxError>>().await
        }));
        let error = hangs.oneshot(Request::new(slow_body(TIMEOUT * 2, 10))).await.unwrap_err();
        assert!(matches!(error, NoResponse::TimedOut(TimedOut::Backend)));
    }
}
