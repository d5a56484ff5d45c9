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
use crate::{body::RequestBody, durations::bounded};

/// Ends requests in [`TimedOut`](super::TimedOut) when nothing has moved for a time and there is no response yet.
///
/// Around each endpoint of a [`Balance`](crate::balance::Balance), it limits all attempts together: a request that is
/// sent again has the time that is left. An endpoint that hangs counts as failed.
///
/// The time counts from the last piece of the request body, so a large upload may take any time, unless it is slower
/// than [`min_rate`](Self::min_rate). What follows the head of the response is limited by
/// [`HttpServer::body_timeout`](crate::serve::HttpServer::body_timeout) instead.
#[derive(Debug, Clone, Copy)]
pub struct ResponseTimeoutLayer {
    timeout: Duration,
    min_rate: Option<MinRate>,
    except_http2: bool,
}

impl ResponseTimeoutLayer {
    /// Waits for `timeout`, for bodies at any rate.
    pub fn new(timeout: Duration) -> Self {
        Self { timeout: bounded(timeout), min_rate: None, except_http2: false }
    }

    /// How many bytes a second the body of a request has to bring until the head of its response is there; 0: any
    /// number.
    ///
    /// It is the mean over each `window` in which the client was waited for: what a backend takes to read is not
    /// counted. A body that is too slow ends the request in [`TimedOut::Client`](super::TimedOut::Client). It may be
    /// noticed a fourth later.
    #[must_use]
    pub fn min_rate(mut self, bytes: u64, window: Duration) -> Self {
        self.min_rate = MinRate::new(bytes, bounded(window));
        self
    }

    /// Lets the bodies of requests of HTTP/2 be slower: for endpoints of HTTP/2, where a stream costs no connection and
    /// those of gRPC are rightly slow.
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
        let ResponseTimeoutLayer { timeout, min_rate, except_http2 } = self.layer;
        // Most requests have no body; nothing is shared for them.
        let progress = (!request.body().is_end_stream()).then(|| {
            let min_rate = min_rate.filter(|_| !except_http2 || request.version() < Version::HTTP_2);
            Arc::new(Progress::new(min_rate))
        });
        let rest = request.extensions().get().copied();
        // Put together again in the place of the argument: a request is large.
        let (parts, body) = request.into_parts();
        let mut body = RequestBody::new(body);
        if let Some(progress) = &progress {
            body.watch(Arc::clone(progress) as _);
        }
        let response = self.inner.call(Request::from_parts(parts, body));
        ResponseFuture::new(response, timeout, rest, progress)
    }
}
