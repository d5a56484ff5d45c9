use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Body;
use tower::{BoxError, Layer, Service};

use super::{MirrorStats, body::Copied, head::Head, shared::Shared};
use crate::{
    body::RequestBody,
    buffer_body::{Buffer, BufferMemory},
    durations::bounded,
    max_in_flight::InFlightCount,
};

/// A layer that sends copies of requests to a mirror. The [module](super) has an example.
///
/// A task of its own sends the copy once the body of the request is complete, with trailers, but without extensions and
/// `Expect`. So the mirror never gets incomplete requests. Put a [`BufferBodyLayer`](crate::buffer_body::BufferBodyLayer)
/// around this layer to send copies even if the inner service does not read the whole body.
///
/// A request is not copied if its body is longer than [`max_body`](Self::max_body) or incomplete, or if
/// [`max_in_flight`](Self::max_in_flight) copies are in flight. Upgrades, gRPC and Connect streams are never copied.
///
/// The layer must be called within a tokio runtime.
#[derive(Debug)]
pub struct MirrorLayer<M> {
    mirror: M,
    shared: Arc<Shared>,
}

impl<M> MirrorLayer<M> {
    /// Creates a layer that copies all requests with bodies of up to 64 KiB to `mirror`. At most 100 copies are in flight at
    /// once, each for up to 60 seconds.
    pub fn new(mirror: M) -> Self {
        let shared = Shared {
            percent: 100,
            requests: Arc::default(),
            max_body: 64 * 1024,
            memory: BufferMemory::default(),
            max_in_flight: 100,
            count: InFlightCount::new(),
            header: None,
            timeout: Duration::from_secs(60),
            stats: Arc::default(),
        };
        Self { mirror, shared: Arc::new(shared) }
    }

    /// Sets the percentage of requests to copy: of each hundred, exactly this many, evenly spread.
    #[must_use]
    pub fn percent(self, percent: usize) -> Self {
        self.with(|shared| shared.percent = percent)
    }

    /// Sets the maximum length of a body that is copied; 64 KiB by default.
    #[must_use]
    pub fn max_body(self, bytes: usize) -> Self {
        self.with(|shared| shared.max_body = bytes)
    }

    /// Sets the memory for bodies. Layers can share it. By default, only the other settings limit it.
    #[must_use]
    pub fn memory(self, memory: BufferMemory) -> Self {
        self.with(|shared| shared.memory = memory)
    }

    /// Sets the maximum number of copies in flight; 100 by default.
    #[must_use]
    pub fn max_in_flight(self, max: usize) -> Self {
        self.with(|shared| shared.max_in_flight = max)
    }

    /// Sets how long a copy can take, up to the end of its response; 60 seconds by default.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|shared| shared.timeout = bounded(timeout))
    }

    /// Sets a header on copies, so that the mirror can recognize them. By default, copies have the same headers as their
    /// requests.
    #[must_use]
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.with(|shared| shared.header = Some((name, value)))
    }

    /// Counts copies in `stats`.
    #[must_use]
    pub fn stats(self, stats: Arc<MirrorStats>) -> Self {
        self.with(|shared| shared.stats = stats)
    }

    /// The same layer with another mirror, for example for another thread. `percent` and `max_in_flight` apply to both
    /// together.
    pub fn with_mirror<N>(&self, mirror: N) -> MirrorLayer<N> {
        MirrorLayer { mirror, shared: Arc::clone(&self.shared) }
    }

    fn with(mut self, change: impl FnOnce(&mut Shared)) -> Self {
        change(Arc::make_mut(&mut self.shared));
        self
    }
}

impl<M: Clone> Clone for MirrorLayer<M> {
    fn clone(&self) -> Self {
        self.with_mirror(self.mirror.clone())
    }
}

impl<S, M: Clone> Layer<S> for MirrorLayer<M> {
    type Service = Mirror<S, M>;

    fn layer(&self, inner: S) -> Self::Service {
        Mirror { inner, layer: self.clone() }
    }
}

/// The service of [`MirrorLayer`].
#[derive(Debug, Clone)]
pub struct Mirror<S, M> {
    inner: S,
    layer: MirrorLayer<M>,
}

impl<S, M> Mirror<S, M> {
    inner_accessors!();
}

impl<S, M, B, R> Service<Request<B>> for Mirror<S, M>
where
    S: Service<Request<RequestBody>>,
    M: Service<Request<RequestBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send>,
    M: Clone + Send + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    R: Body<Error: Into<BoxError>> + Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let mut request = Request::from_parts(parts, RequestBody::new(body));
        if self.layer.shared.is_mirrored(&request) {
            self.layer.copy(&mut request);
        }
        self.inner.call(request)
    }
}

impl<M> MirrorLayer<M> {
    fn copy<R>(&self, request: &mut Request<RequestBody>)
    where
        M: Service<Request<RequestBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send>,
        M: Clone + Send + 'static,
        R: Body<Error: Into<BoxError>> + Send + 'static,
    {
        let shared = &*self.shared;
        let fits = request.body().size_hint().lower() <= shared.max_body as u64;
        let counted = fits.then(|| shared.count.add(shared.max_in_flight)).flatten();
        let Some(counted) = counted else { return shared.stats.skip() };
        let copy = Head::new(request, self.mirror.clone(), Arc::clone(&self.shared), counted);
        let body = if request.body().is_end_stream() { Some(RequestBody::empty()) } else { request.body().again() };
        match body {
            Some(body) => copy.send(body),
            None => {
                let body = std::mem::take(request.body_mut());
                let buffer = Buffer::new(shared.max_body, shared.memory.clone());
                *request.body_mut() = RequestBody::new(Copied::new(body, buffer, copy));
            }
        }
    }
}
