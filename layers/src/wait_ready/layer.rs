use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::{BoxError, Layer, Service};

use super::{
    Readiness,
    wait::{Again, Returned, Rules, Waiting},
};
use crate::{body::RequestBody, durations::bounded};

/// How many requests wait for a service by default.
const MAX_WAITING: usize = 1000;

/// A layer that holds requests back until a service is ready. The [module](super) has an example.
#[derive(Debug, Clone)]
pub struct WaitReadyLayer {
    rules: Rules,
}

impl WaitReadyLayer {
    /// Creates a layer that holds requests back until `readiness` says that the service is ready, for at most `timeout`.
    pub fn new(readiness: Readiness, timeout: Duration) -> Self {
        Self::any([readiness], timeout)
    }

    /// Creates a layer in front of several services. Requests are let through while one of them is ready.
    pub fn any(readiness: impl IntoIterator<Item = Readiness>, timeout: Duration) -> Self {
        let readiness = readiness.into_iter().collect();
        let rules = Rules { readiness, timeout: bounded(timeout), max_waiting: MAX_WAITING, has_others: false };
        Self { rules }
    }

    /// Sets how many requests can wait for a service; further ones fail at once. Default: 1,000. All layers with the same
    /// [`Readiness`] count together.
    #[must_use]
    pub fn max_waiting(self, max_waiting: usize) -> Self {
        Self { rules: Rules { max_waiting, ..self.rules } }
    }

    /// Lets each request through at first, and makes it wait only if the inner service returns it. For a balance that has
    /// other endpoints, too.
    #[must_use]
    pub fn or_elsewhere(self) -> Self {
        Self { rules: Rules { has_others: true, ..self.rules } }
    }
}

impl<S: Clone> Layer<S> for WaitReadyLayer {
    type Service = WaitReady<S>;

    fn layer(&self, inner: S) -> Self::Service {
        WaitReady { again: Arc::new(Again { inner: inner.clone(), rules: self.rules.clone() }), inner }
    }
}

/// The service of [`WaitReadyLayer`].
#[derive(Debug, Clone)]
pub struct WaitReady<S> {
    inner: S,
    /// For requests that have to wait.
    again: Arc<Again<S>>,
}

impl<S> WaitReady<S> {
    inner_accessors!();
}

impl<S, B, R> Service<Request<B>> for WaitReady<S>
where
    S: Service<Request<RequestBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    R: 'static,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = WaitReadyFuture<S, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request = request.map(RequestBody::new);
        let again = Arc::clone(&self.again);
        let Rules { readiness, has_others, .. } = &again.rules;
        readiness.iter().for_each(Readiness::want);
        let kind = if *has_others || readiness.iter().any(Readiness::is_ready) {
            Kind::Inner { future: self.inner.call(request) }
        } else {
            Kind::Waiting { waiting: Again::wait(Arc::clone(&again), Returned::unsent(request)) }
        };
        WaitReadyFuture { kind, again }
    }
}

pin_project! {
    /// The response future of [`WaitReady`].
    pub struct WaitReadyFuture<S: Service<Request<RequestBody>>, R> {
        #[pin]
        kind: Kind<S::Future, R>,
        again: Arc<Again<S>>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<F, R> {
        Inner { #[pin] future: F },
        // Boxed, because it is rare.
        Waiting { waiting: Waiting<R> },
    }
}

impl<S, R> Future for WaitReadyFuture<S, R>
where
    S: Service<Request<RequestBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    R: 'static,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.as_mut().project();
        match this.kind.as_mut().project() {
            KindProj::Waiting { waiting } => waiting.as_mut().poll(cx),
            KindProj::Inner { future } => match ready!(future.poll(cx)) {
                Ok(response) => Poll::Ready(Ok(response)),
                Err(error) => match Returned::from_error(error.into()) {
                    Ok(returned) => {
                        let mut waiting = Again::wait(Arc::clone(this.again), returned);
                        let polled = waiting.as_mut().poll(cx);
                        this.kind.set(Kind::Waiting { waiting });
                        polled
                    }
                    Err(error) => Poll::Ready(Err(error)),
                },
            },
        }
    }
}
