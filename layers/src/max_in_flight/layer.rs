use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response, header::UPGRADE};
use http_body::Body;
use pin_project_lite::pin_project;
use thiserror::Error;
use tower::{BoxError, Layer, Service};

use super::{Counted, CountedBody, InFlightCount};

/// A layer that rejects requests with [`TooManyInFlight`] (503) while too many are in flight. The [module](super) has an
/// example.
///
/// A request is in flight until the body of its response has been read to the end or dropped, until it fails, or until it is
/// cancelled. A tunnel is in flight until it ends if a [`TunnelLayer`](crate::upgrade::TunnelLayer) further in opens it.
///
/// The services of a layer share one count, also between threads.
#[derive(Debug, Clone)]
pub struct MaxInFlightLayer {
    max: usize,
    count: InFlightCount,
}

/// Too many requests are in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too many requests are in flight")]
pub struct TooManyInFlight;

impl TooManyInFlight {
    /// When to try again. [`RespondLayer`](crate::respond::RespondLayer) sends it in `Retry-After`. Nobody knows when a
    /// request will end, so it is the shortest time that the header can express.
    pub const RETRY_AFTER: Duration = Duration::from_secs(1);
}

impl MaxInFlightLayer {
    /// Creates a layer that lets through this many requests at once.
    pub fn new(max: usize) -> Self {
        Self { max, count: InFlightCount::new() }
    }

    /// Shares `count` with other layers, for example with a previous one that had another maximum.
    #[must_use]
    pub fn counted_by(self, count: InFlightCount) -> Self {
        Self { count, ..self }
    }

    /// The count of requests in flight.
    pub fn count(&self) -> &InFlightCount {
        &self.count
    }
}

impl<S> Layer<S> for MaxInFlightLayer {
    type Service = MaxInFlight<S>;

    fn layer(&self, inner: S) -> Self::Service {
        MaxInFlight { inner, max: self.max, count: self.count.clone() }
    }
}

/// The service of [`MaxInFlightLayer`].
#[derive(Debug, Clone)]
pub struct MaxInFlight<S> {
    inner: S,
    max: usize,
    count: InFlightCount,
}

impl<S> MaxInFlight<S> {
    inner_accessors!();
}

impl<S, B, R> Service<Request<B>> for MaxInFlight<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Body,
{
    type Response = Response<CountedBody<R>>;
    type Error = BoxError;
    type Future = MaxInFlightFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let Some(counted) = self.count.add(self.max) else { return MaxInFlightFuture { kind: Kind::Rejected } };
        // Only upgrades pay for an extension.
        if request.headers().contains_key(UPGRADE) {
            request.extensions_mut().insert(counted.clone());
        }
        MaxInFlightFuture { kind: Kind::Inner { future: self.inner.call(request), counted: Some(counted) } }
    }
}

pin_project! {
    /// The response future of [`MaxInFlight`].
    #[derive(Debug)]
    pub struct MaxInFlightFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Debug)]
    enum Kind<F> {
        Inner {
            #[pin]
            future: F,
            counted: Option<Counted>,
        },
        Rejected,
    }
}

impl<F, R, E> Future for MaxInFlightFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
    R: Body,
{
    type Output = Result<Response<CountedBody<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Rejected => Poll::Ready(Err(TooManyInFlight.into())),
            KindProj::Inner { future, counted } => {
                let response = ready!(future.poll(cx));
                let Some(counted) = counted.take() else { panic!("polled after completion") };
                Poll::Ready(match response {
                    Ok(response) => Ok(response.map(|body| CountedBody::new(body, counted))),
                    Err(error) => Err(error.into()),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use bytes::Bytes;
    use futures_util::FutureExt;
    use http_body_util::{BodyExt, Empty, Full};
    use tower::{ServiceBuilder, ServiceExt, service_fn};

    use super::*;

    #[tokio::test]
    async fn a_request_counts_until_its_body_has_ended() {
        let layer = MaxInFlightLayer::new(2);
        let service = ServiceBuilder::new().layer(&layer).service(service_fn(async |_: Request<()>| {
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("text")))
        }));
        let call = || service.clone().oneshot(Request::new(()));
        let mut first = call().await.unwrap();
        let second = call().await.unwrap();
        assert!(call().await.unwrap_err().is::<TooManyInFlight>());
        assert_eq!(first.body_mut().frame().await.unwrap().unwrap().into_data().unwrap(), "text");
        assert!(first.body_mut().frame().await.is_none());
        assert_eq!(layer.count().value(), 1);
        drop(second);
        assert_eq!(layer.count().value(), 0);
    }

    #[tokio::test]
    async fn failed_cancelled_and_empty_responses_do_not_count() {
        let layer = MaxInFlightLayer::new(1);
        let answer = |request: Request<&'static str>| async move {
            match request.into_body() {
                "fails" => Err("failed"),
                "waits" => std::future::pending().await,
                _ => Ok(Response::new(Empty::<Bytes>::new())),
            }
        };
        let service = ServiceBuilder::new().layer(&layer).service(service_fn(answer));
        let call = |body| service.clone().oneshot(Request::new(body));
        assert!(call("fails").await.is_err());
        let mut waiting = Box::pin(call("waits"));
        assert!((&mut waiting).now_or_never().is_none());
        assert_eq!(layer.count().value(), 1);
        drop(waiting);
        let response = call("").await.unwrap();
        assert_eq!(layer.count().value(), 0);
        drop(response);
    }

    #[tokio::test]
    async fn layers_that_share_a_count_have_their_own_maximum() {
        let count = InFlightCount::new();
        let service = |max| {
            ServiceBuilder::new().layer(MaxInFlightLayer::new(max).counted_by(count.clone())).service(service_fn(
                async |_: Request<()>| Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("text"))),
            ))
        };
        let before = service(2).oneshot(Request::new(())).await.unwrap();
        assert!(service(1).oneshot(Request::new(())).await.is_err());
        drop(before);
        assert!(service(1).oneshot(Request::new(())).await.is_ok());
    }
}
