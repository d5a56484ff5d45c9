//! The access log: one line per request, written after its response has been sent or has failed.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Instant,
};

use http::{Method, Request, Response, Uri, Version};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use pmesh_layers::{balance::Attempts, conn::ConnInfo, forwarded::ClientAddr, host::HostName, identity::NodeName};
use tower::{Layer, Service};
use tower_http::request_id::RequestId;

/// Logs each request to the target `pmesh::access` if the log is on.
#[derive(Debug, Clone, Copy)]
pub struct AccessLogLayer {
    on: bool,
}

impl AccessLogLayer {
    /// Creates the layer, which logs if `on` is true.
    pub fn new(on: bool) -> Self {
        Self { on }
    }
}

impl<S> Layer<S> for AccessLogLayer {
    type Service = AccessLog<S>;

    fn layer(&self, inner: S) -> AccessLog<S> {
        AccessLog { inner, on: self.on }
    }
}

/// The service of [`AccessLogLayer`].
#[derive(Debug, Clone)]
pub struct AccessLog<S> {
    inner: S,
    on: bool,
}

impl<S, B, R> Service<Request<B>> for AccessLog<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<LoggedBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let line = self.on.then(|| {
            let line = Line::new(&request);
            request.extensions_mut().insert(line.attempts.clone());
            Box::new(line)
        });
        ResponseFuture { response: self.inner.call(request), line }
    }
}

pin_project! {
    /// The response future of [`AccessLog`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        response: F,
        line: Option<Box<Line>>,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<LoggedBody<R>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.response.poll(cx));
        let mut line = this.line.take();
        if let Some(line) = &mut line {
            line.status = response.as_ref().map_or(NO_RESPONSE, |response| response.status().as_u16());
        }
        Poll::Ready(response.map(|response| response.map(|inner| LoggedBody { inner, line })))
    }
}

/// nginx's status codes for requests without a response: the route is silent, or the client left.
const NO_RESPONSE: u16 = 444;
const CLIENT_LEFT: u16 = 499;

/// The log line of a request. It is written on drop, so cancelled requests are logged as well.
#[derive(Debug)]
struct Line {
    start: Instant,
    id: Option<RequestId>,
    client: Option<ClientAddr>,
    /// The node that forwarded the request, if one did.
    node: Option<NodeName>,
    host: Option<HostName>,
    method: Method,
    uri: Uri,
    version: Version,
    attempts: Attempts,
    status: u16,
    bytes: u64,
}

impl Line {
    fn new<B>(request: &Request<B>) -> Self {
        let extensions = request.extensions();
        Self {
            start: Instant::now(),
            id: extensions.get().cloned(),
            client: ClientAddr::from_extensions(extensions),
            node: extensions.get::<ConnInfo>().and_then(ConnInfo::peer_node).cloned(),
            host: extensions.get().cloned(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            version: request.version(),
            attempts: Attempts::default(),
            status: CLIENT_LEFT,
            bytes: 0,
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        tracing::info!(
            target: "pmesh::access",
            id = self.id.as_ref().and_then(|id| id.header_value().to_str().ok()).unwrap_or("-"),
            client = %self.client.map_or_else(|| "-".into(), |client| client.to_string()),
            node = self.node.as_ref().map(NodeName::as_str),
            host = self.host.as_ref().map_or("-", HostName::as_str),
            method = %self.method,
            path = self.uri.path_and_query().map_or("", |path| path.as_str()),
            version = ?self.version,
            upstream = self.attempts.endpoint().unwrap_or("-"),
            attempts = Some(self.attempts.count()).filter(|attempts| *attempts > 1),
            status = self.status,
            bytes = self.bytes,
            ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
            "request"
        );
    }
}

pin_project! {
    /// A response body that writes the log line of its request when it is dropped.
    #[derive(Debug)]
    pub struct LoggedBody<B> {
        #[pin]
        inner: B,
        line: Option<Box<Line>>,
    }
}

impl<B> LoggedBody<B> {
    /// Wraps the body of a response that is not logged.
    pub fn unlogged(inner: B) -> Self {
        Self { inner, line: None }
    }
}

impl<B: Body> Body for LoggedBody<B>
where
    B::Data: bytes::Buf,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if let (Some(line), Some(Ok(frame))) = (this.line, &frame) {
            line.bytes += frame.data_ref().map_or(0, |data| bytes::Buf::remaining(data) as u64);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
