use std::{
    fmt, mem,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderName, Request, Response, Uri};
use http_body::Body;
use tower::{BoxError, Layer, Service};

use super::{ForwardAuthFuture, question::Question, settings::Settings, verdict::Copied};
use crate::{
    body::{RequestBody, ResponseBody},
    call::Call,
};

/// A layer that asks an authentication server about each request before it passes the request on. The [module](super) has an
/// example.
///
/// The server gets a GET without a body, with the headers of the client except those that are about its connection, its
/// body, or a part or version of the response. `X-Forwarded-Method` and `X-Forwarded-Uri` describe the request, as do
/// `X-Original-Method` and `X-Original-URL`, which servers for nginx read. If the client sent headers of these names, or of
/// names that CGI cannot tell apart from them, they are removed.
///
/// | the server | the client |
/// | --- | --- |
/// | answers with a status from 200 to 299 | gets the response of the inner service, with each `Set-Cookie` of the server |
/// | answers with any other status | gets that answer: status, headers and body |
/// | fails, or switches protocols | gets nothing: the layer fails with the error of the server, or with [`NoVerdict`](super::NoVerdict) |
///
/// The inner service gets the [headers to copy](Self::copy_headers) from the server only. The body of the request is not
/// read before the server has answered. Answers are not cached: each request causes one to the server.
///
/// Put this layer inside a [`ForwardedLayer`](crate::forwarded::ForwardedLayer), which sets `X-Forwarded-For`, `-Proto` and
/// `-Host`. Without it, a client can choose them. Requests to the server have no extensions, and no time limit: put a
/// [`ResponseTimeoutLayer`](crate::response_timeout::ResponseTimeoutLayer) around the server.
#[derive(Debug, Clone)]
pub struct ForwardAuthLayer<A> {
    server: A,
    settings: Arc<Settings>,
}

impl<A> ForwardAuthLayer<A> {
    /// Creates a layer that asks `server` with the path and the query of `url`. `Host` is the authority of `url`.
    pub fn new(server: A, url: Uri) -> Self {
        Self { server, settings: Arc::new(Settings { question: Question::new(url), copied: Copied::default() }) }
    }

    /// Copies these headers from the answer of the server to the request, if the server admits it. They are always removed
    /// from the request first, together with headers that CGI cannot tell apart from them, and with trailers of these names.
    /// If the server sends the same value twice, it is copied once.
    #[must_use]
    pub fn copy_headers(mut self, names: impl IntoIterator<Item = HeaderName>) -> Self {
        let Settings { question, copied } = &*self.settings;
        self.settings = Arc::new(Settings { question: question.clone(), copied: copied.and(names) });
        self
    }
}

impl<S, A: Clone> Layer<S> for ForwardAuthLayer<A> {
    type Service = ForwardAuth<S, A>;

    fn layer(&self, inner: S) -> Self::Service {
        ForwardAuth { inner, server: self.server.clone(), settings: Arc::clone(&self.settings) }
    }
}

/// The service of [`ForwardAuthLayer`].
#[derive(Clone)]
pub struct ForwardAuth<S, A> {
    inner: S,
    server: A,
    settings: Arc<Settings>,
}

impl<S, A> ForwardAuth<S, A> {
    inner_accessors!();
}

impl<S: fmt::Debug, A> fmt::Debug for ForwardAuth<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForwardAuth").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, A, B, R, V> Service<Request<B>> for ForwardAuth<S, A>
where
    S: Service<Request<RequestBody>, Response = Response<R>, Error: Into<BoxError>> + Clone,
    A: Service<Request<RequestBody>, Response = Response<V>, Error: Into<BoxError>> + Clone,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    V: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = ForwardAuthFuture<S, A>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let question = self.settings.question.about(&request);
        let verdict = Call::new(&mut self.server, question);
        // The call takes the service that is ready.
        let clone = self.inner.clone();
        let inner = mem::replace(&mut self.inner, clone);
        ForwardAuthFuture::asking(verdict, inner, request.map(RequestBody::new), Arc::clone(&self.settings))
    }
}
