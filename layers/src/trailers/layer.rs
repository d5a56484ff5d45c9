use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::{BoxError, Layer, Service};

use super::filter::{TrailerFilter, Watch};
use crate::{
    body::{RequestBody, ResponseBody},
    conn::ConnInfo,
    hop_by_hop::{Named, named},
};

/// Drops forbidden trailers from requests and responses.
///
/// A trailer is forbidden if, as a header, it would have a meaning for framing, routing, proxies, identity, caching or
/// the content. Trailers that `Connection` names are forbidden too (RFC 9110, 7.6.1); in responses, only if a
/// [`HopByHopLayer`](crate::hop_by_hop::HopByHopLayer) is inside this layer.
///
/// A backend that merges trailers into the headers could trust a forged header as the proxy's own, or read another
/// length, host or user.
///
/// After a chunked HTTP/1 request whose body had trailers, or had not ended when the response began,
/// [`HttpServer`](crate::serve::HttpServer) closes the connection. hyper consumes everything up to the next empty line
/// that ends with CRLF as trailers, but parses only what comes before the first empty line that ends with a bare LF.
/// Other programs would see another request in between (RFC 9112, 2.2).
#[derive(Debug, Clone, Copy, Default)]
pub struct TrailersLayer {
    prefix: Option<&'static str>,
}

impl TrailersLayer {
    /// Creates the layer.
    pub fn new() -> Self {
        Self::default()
    }

    /// Also drops trailers whose names begin with `prefix`, such as `x-example-`. This is for headers that your own
    /// programs exchange. There is only one such prefix: the last one set.
    #[must_use]
    pub fn drop_prefix(mut self, prefix: &'static str) -> Self {
        self.prefix = Some(prefix);
        self
    }
}

impl<S> Layer<S> for TrailersLayer {
    type Service = Trailers<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Trailers { inner, prefix: self.prefix }
    }
}

/// The service of [`TrailersLayer`].
#[derive(Debug, Clone)]
pub struct Trailers<S> {
    inner: S,
    prefix: Option<&'static str>,
}

impl<S> Trailers<S> {
    inner_accessors!();
}

impl<S, B, R> Service<Request<B>> for Trailers<S>
where
    S: Service<Request<RequestBody>, Response = Response<R>>,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let filter = filter(&request, self.prefix);
        let request = request.map(|body| {
            let mut body = RequestBody::new(body);
            body.filter_trailers(filter);
            body
        });
        ResponseFuture { response: self.inner.call(request), prefix: self.prefix }
    }
}

pin_project! {
    /// The response future of [`Trailers`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        response: F,
        prefix: Option<&'static str>,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Output = Result<Response<ResponseBody>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let prefix = *this.prefix;
        let mut response = ready!(this.response.poll(cx))?;
        let named = response.extensions_mut().remove();
        let watch = named.map(|Named(named)| Box::new(Watch { prefix, named, connection: None }));
        let filter = watch.map_or(TrailerFilter::Forbidden(prefix), TrailerFilter::Watch);
        Poll::Ready(Ok(response.map(|body| {
            let mut body = ResponseBody::new(body);
            body.filter_trailers(filter);
            body
        })))
    }
}

/// Only a chunked HTTP/1 body can have trailers that `Connection` names.
fn filter<B: Body>(request: &Request<B>, prefix: Option<&'static str>) -> TrailerFilter {
    let body = request.body();
    if body.is_end_stream() || request.version() >= Version::HTTP_2 || body.size_hint().exact().is_some() {
        return TrailerFilter::Forbidden(prefix);
    }
    let connection = request.extensions().get().map(ConnInfo::control).cloned();
    connection.iter().for_each(|connection| connection.traffic().set_open_ended(true));
    TrailerFilter::Watch(Box::new(Watch { prefix, named: named(request.headers()), connection }))
}
