use std::{
    mem,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Method, Request, header::UPGRADE};
use http_body::Body;
use tower::{BoxError, Layer, Service, service_fn};

use super::{BufferBodyFuture, BufferMemory, read::read};
use crate::{
    body::RequestBody,
    response_timeout::{NoResponse, ResponseTimeoutLayer},
    stream_kind::is_two_way,
};

/// A layer that reads request bodies up to a size before it passes the request on. The [module](super) has an example.
///
/// A body that is longer, or that does not fit into the [memory](Self::memory), streams: the inner service first gets the
/// part that has been read, then the rest. If the client declares a longer body, nothing is read.
///
/// A buffered body keeps its trailers. If it has none, its length is known to the inner service. The `Expect` of its request
/// is removed, because the client has sent the body.
///
/// Requests without a body and upgrades pass at once. So do the requests of gRPC (`application/grpc`) and of Connect streams
/// (`application/connect+`), whose clients may wait for a response before they send more. Do not use the layer for other
/// clients that do so: their requests would fail.
#[derive(Debug, Clone)]
pub struct BufferBodyLayer {
    max: usize,
    memory: BufferMemory,
    timeout: ResponseTimeoutLayer,
}

impl BufferBodyLayer {
    /// Creates a layer that reads bodies of up to `max` bytes.
    pub fn new(max: usize) -> Self {
        let timeout = ResponseTimeoutLayer::new(Duration::from_secs(60));
        Self { max, memory: BufferMemory::default(), timeout }
    }

    /// Sets the memory that bodies are read into. Layers can share it. By default, there is no limit.
    #[must_use]
    pub fn memory(self, memory: BufferMemory) -> Self {
        Self { memory, ..self }
    }

    /// Sets the longest pause in a body, and its minimum rate. If the client is slower, the request fails with
    /// [`TimedOut::Client`](crate::response_timeout::TimedOut::Client). By default, the client can pause for 60 seconds, and
    /// there is no minimum rate.
    ///
    /// The inner service needs a timeout of its own, for the response.
    #[must_use]
    pub fn timeout(self, timeout: ResponseTimeoutLayer) -> Self {
        Self { timeout, ..self }
    }
}

impl<S> Layer<S> for BufferBodyLayer {
    type Service = BufferBody<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BufferBody { inner, layer: self.clone() }
    }
}

/// The service of [`BufferBodyLayer`].
#[derive(Debug, Clone)]
pub struct BufferBody<S> {
    inner: S,
    layer: BufferBodyLayer,
}

impl<S> BufferBody<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for BufferBody<S>
where
    S: Service<Request<RequestBody>, Error: Into<BoxError>, Future: Send> + Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = BufferBodyFuture<S::Future, S::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, RequestBody::new(body));
        if self.layer.passes(&request) {
            return BufferBodyFuture::inner(self.inner.call(request));
        }
        // The call takes the service that is ready.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        BufferBodyFuture::buffered(buffered(inner, request, self.layer.clone()))
    }
}

impl BufferBodyLayer {
    /// Whether a request passes without buffering.
    fn passes(&self, request: &Request<RequestBody>) -> bool {
        request.body().is_end_stream()
            || request.body().size_hint().lower() > self.max as u64
            || request.method() == Method::CONNECT
            || request.headers().contains_key(UPGRADE)
            || is_two_way(request.headers())
    }
}

async fn buffered<S>(
    mut inner: S,
    request: Request<RequestBody>,
    layer: BufferBodyLayer,
) -> Result<S::Response, BoxError>
where
    S: Service<Request<RequestBody>, Error: Into<BoxError>>,
{
    let BufferBodyLayer { max, memory, timeout } = layer;
    let mut reader = timeout.layer(service_fn(|request| read(request, max, memory.clone())));
    let request = reader.call(request).await.map_err(|error| match error {
        NoResponse::TimedOut(timed_out) => timed_out.into(),
        NoResponse::Inner { error, .. } => error,
        NoResponse::NoTimeLeft => error.into(),
    })?;
    inner.call(request).await.map_err(Into::into)
}
