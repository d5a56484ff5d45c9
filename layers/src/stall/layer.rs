use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::StallTimeouts;

/// A layer that adds [`StallTimeouts`] to the responses of a service, for [`HttpServer`](crate::serve::HttpServer) to
/// apply.
///
/// A response that already has them keeps them, and a response without a body gets none. If the server's timeouts fit,
/// leave this layer out: the extension costs each response an allocation.
#[derive(Debug, Clone, Copy)]
pub struct StallLayer {
    timeouts: StallTimeouts,
}

impl StallLayer {
    /// Creates a layer that sets these timeouts.
    pub fn new(timeouts: StallTimeouts) -> Self {
        Self { timeouts }
    }
}

impl<S> Layer<S> for StallLayer {
    type Service = Stall<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Stall { inner, timeouts: self.timeouts }
    }
}

/// The service of [`StallLayer`].
#[derive(Debug, Clone)]
pub struct Stall<S> {
    inner: S,
    timeouts: StallTimeouts,
}

impl<S> Stall<S> {
    inner_accessors!();
}

impl<S, R, B> Service<R> for Stall<S>
where
    S: Service<R, Response = Response<B>>,
    B: Body,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = StallFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        StallFuture { response: self.inner.call(request), timeouts: self.timeouts }
    }
}

pin_project! {
    /// The response future of [`Stall`].
    #[derive(Debug)]
    pub struct StallFuture<F> {
        #[pin]
        response: F,
        timeouts: StallTimeouts,
    }
}

impl<F, B, E> Future for StallFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.response.poll(cx))?;
        if !response.body().is_end_stream() {
            response.extensions_mut().get_or_insert(*this.timeouts);
        }
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::Request;
    use tower::{BoxError, ServiceExt, service_fn};

    use super::*;
    use crate::body::ResponseBody;

    #[tokio::test]
    async fn a_response_without_a_body_gets_no_timeouts() {
        let timeouts = StallTimeouts::new().with_stream(Duration::from_secs(1));
        for (text, expected) in [("", None), ("body", Some(timeouts))] {
            let service = StallLayer::new(timeouts).layer(service_fn(move |_: Request<()>| {
                std::future::ready(Ok::<_, BoxError>(Response::new(ResponseBody::from(text))))
            }));
            let response = service.oneshot(Request::new(())).await.unwrap();
            assert_eq!(response.extensions().get().copied(), expected);
        }
    }
}
