//! Handles what is different about requests from other nodes: some are for this node itself, and errors get a response.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use pmesh_layers::{
    body::{RequestBody, ResponseBody},
    conn::ConnInfo,
    respond,
};
use tower::{BoxError, Layer, Service};

use super::access_log::LoggedBody;
use crate::{admission::spares::for_node, mesh::Api, settings::API_HOST};

/// Handles requests from other nodes. Requests for this node itself go to the [`Api`]. Errors for which a client would get
/// silence become responses, because the connection carries the requests of many clients.
#[derive(Debug, Clone)]
pub struct NodesLayer {
    api: Api,
}

impl NodesLayer {
    /// Creates the layer with this API.
    pub fn new(api: Api) -> Self {
        Self { api }
    }
}

impl<S> Layer<S> for NodesLayer {
    type Service = Nodes<S>;

    fn layer(&self, inner: S) -> Nodes<S> {
        Nodes { inner, api: self.api.clone() }
    }
}

/// The service of [`NodesLayer`].
#[derive(Debug, Clone)]
pub struct Nodes<S> {
    inner: S,
    api: Api,
}

impl<S> Service<Request<RequestBody>> for Nodes<S>
where
    S: Service<Request<RequestBody>, Response = Response<LoggedBody<ResponseBody>>, Error = BoxError>,
{
    type Response = Response<LoggedBody<ResponseBody>>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let of_node = request.extensions().get::<ConnInfo>().is_some_and(|info| info.peer_node().is_some());
        // Client requests are never forwarded under this name, so this one is for the node itself.
        if of_node && request.uri().authority().is_some_and(|asked| asked.as_str() == API_HOST) {
            return ResponseFuture { kind: Kind::Api { response: self.api.call(request) } };
        }
        ResponseFuture { kind: Kind::Passed { response: self.inner.call(request), of_node } }
    }
}

pin_project! {
    /// The response future of [`Nodes`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = Projected]
    #[derive(Debug)]
    enum Kind<F> {
        Api { #[pin] response: <Api as Service<Request<RequestBody>>>::Future },
        Passed { #[pin] response: F, of_node: bool },
    }
}

impl<F> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<LoggedBody<ResponseBody>>, BoxError>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            Projected::Api { response } => {
                let Ok(response) = ready!(response.poll(cx));
                Poll::Ready(Ok(response.map(|bytes| LoggedBody::unlogged(ResponseBody::from(bytes)))))
            }
            Projected::Passed { response, of_node } => {
                if !*of_node {
                    return response.poll(cx);
                }
                let error = match ready!(for_node(|| response.poll(cx))) {
                    Err(error) => error,
                    response => return Poll::Ready(response),
                };
                let status = respond::status(&*error);
                tracing::debug!(status = status.as_u16(), %error, "rejected a request from another node");
                Poll::Ready(Ok(respond::plain(status).map(LoggedBody::unlogged)))
            }
        }
    }
}
