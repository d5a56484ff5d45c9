use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Version};
use http_body::Body;
use tower::{BoxError, Layer, Service};

use super::{
    NoResponse, ResponseFuture,
    progress::{MinRate, Progress},
};
use crate::{body::RequestBody, durations::bounded, stream_kind::is_grpc};

/// A layer that fails requests with [`TimedOut`](super::TimedOut) if there is neither a response nor progress for some
/// time.
///
/// The timeout restarts with each piece of the request body, so a large upload can take any time, unless it is slower than
/// [`min_rate`](Self::min_rate). Once the response head has arrived,
/// [`HttpServer::stall_timeout`](crate::serve::HttpServer::stall_timeout) applies instead.
///
/// If the layer wraps each endpoint of a [`Balance`](crate::balance::Balance), the timeout limits all attempts together: a
/// request that is retried gets the time that is left. An endpoint that hangs counts as failed.
///
/// Within a gRPC request, a client can pause for the [`stream_timeout`](Self::stream_timeout), and there is no minimum
/// rate. Once the request has ended, the backend has the usual timeout.
#[derive(Debug, Clone, Copy)]
pub struct ResponseTimeoutLayer {
    timeout: Duration,
    stream_timeout: Duration,
    min_rate: Option<MinRate>,
    except_http2: bool,
}

impl ResponseTimeoutLayer {
    /// Creates a layer with this timeout, and no minimum rate for request bodies.
    pub fn new(timeout: Duration) -> Self {
        let stream_timeout = Duration::from_secs(60 * 60);
        Self { timeout: bounded(timeout), stream_timeout, min_rate: None, except_http2: false }
    }

    /// Sets the maximum time between two pieces of a gRPC request (`application/grpc` over HTTP/2); an hour by default,
    /// and at least the timeout of the layer.
    #[must_use]
    pub fn stream_timeout(mut self, timeout: Duration) -> Self {
        self.stream_timeout = bounded(timeout);
        self
    }

    /// Sets the minimum rate of a request body in bytes per second, until the response head arrives; 0, the default, for no
    /// minimum.
    ///
    /// The rate is averaged over each `window` of time spent waiting for the client; time during which the backend does not
    /// read is left out. If the body is too slow, the request fails with [`TimedOut::Client`](super::TimedOut::Client), up
    /// to a quarter of the window later.
    #[must_use]
    pub fn min_rate(mut self, bytes: u64, window: Duration) -> Self {
        self.min_rate = MinRate::new(bytes, bounded(window));
        self
    }

    /// Exempts HTTP/2 requests from the minimum rate. Use this for HTTP/2 endpoints, where a slow request does not occupy a
    /// connection.
    #[must_use]
    pub fn except_http2(mut self) -> Self {
        self.except_http2 = true;
        self
    }
}

impl<S> Layer<S> for ResponseTimeoutLayer {
    type Service = ResponseTimeout<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ResponseTimeout { inner, layer: *self }
    }
}

/// The service of [`ResponseTimeoutLayer`].
#[derive(Debug, Clone)]
pub struct ResponseTimeout<S> {
    inner: S,
    layer: ResponseTimeoutLayer,
}

impl<S> ResponseTimeout<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for ResponseTimeout<S>
where
    S: Service<Request<RequestBody>, Error: Into<BoxError>>,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = S::Response;
    type Error = NoResponse;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(|error| NoResponse::Inner { error: error.into(), left: self.layer.timeout })
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let ResponseTimeoutLayer { timeout, stream_timeout, min_rate, except_http2 } = self.layer;
        // Most requests have no body, and need no allocation.
        let progress = (!request.body().is_end_stream()).then(|| {
            let is_http2 = request.version() >= Version::HTTP_2;
            Arc::new(if is_http2 && is_grpc(request.headers()) {
                Progress::for_stream(stream_timeout)
            } else {
                Progress::new(min_rate.filter(|_| !(except_http2 && is_http2)))
            })
        });
        let rest = request.extensions().get().copied();
        // Rebuilt in the place of the argument, because a request is large.
        let (parts, body) = request.into_parts();
        let mut body = RequestBody::new(body);
        if let Some(progress) = &progress {
            body.watch(Arc::clone(progress) as _);
        }
        let response = self.inner.call(Request::from_parts(parts, body));
        ResponseFuture::new(response, timeout, rest, progress)
    }
}
