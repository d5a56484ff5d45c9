//! Replaces the bodies of error responses with pages of your own.
//!
//! ```
//! use axum::body::Body;
//! use http::{HeaderValue, Request, Response, StatusCode};
//! use pmesh_layers::{
//!     error_pages::ErrorPagesLayer, fixed_response::FixedResponse, respond::RespondLayer, route::NoRoute,
//! };
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let page = FixedResponse::new(StatusCode::NOT_FOUND)?
//!     .body("<h1>Not here</h1>")
//!     .content_type(HeaderValue::from_static("text/html"));
//! let service = ServiceBuilder::new()
//!     .layer(ErrorPagesLayer::new().page(page))
//!     .layer(RespondLayer::new())
//!     .service_fn(async |_: Request<()>| Err::<Response<Body>, _>(BoxError::from(NoRoute::NotFound)));
//! let response = service.oneshot(Request::new(())).await?;
//! assert_eq!(response.status(), 404);
//! assert_eq!(response.headers()["content-type"], "text/html");
//! # Ok(())
//! # }
//! ```

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use crate::{fixed_response::FixedResponse, respond::Cause};

/// A layer that replaces the body of a response whose status has a page.
///
/// Only responses that a [`RespondLayer`](crate::respond::RespondLayer) has made from an error are replaced (those with a
/// [`Cause`]), so put this layer outside of it. Responses of the inner service keep their bodies, whatever their status.
/// All other headers of the response stay, such as `Allow` and `Retry-After`.
pub struct ErrorPagesLayer<R>(Pages<R>);

type Pages<R> = Arc<HashMap<StatusCode, FixedResponse<R>>>;

impl<R> ErrorPagesLayer<R> {
    /// Creates a layer without pages.
    pub fn new() -> Self {
        Self(Arc::default())
    }

    /// Adds a page for its status, in place of an earlier one.
    #[must_use]
    pub fn page(mut self, page: FixedResponse<R>) -> Self {
        Arc::make_mut(&mut self.0).insert(page.status(), page);
        self
    }
}

impl<R> Default for ErrorPagesLayer<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> Clone for ErrorPagesLayer<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> fmt::Debug for ErrorPagesLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorPagesLayer").field("pages", &self.0.keys()).finish()
    }
}

impl<S, R> Layer<S> for ErrorPagesLayer<R> {
    type Service = ErrorPages<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        ErrorPages { inner, pages: Arc::clone(&self.0) }
    }
}

/// The service of [`ErrorPagesLayer`].
pub struct ErrorPages<S, R> {
    inner: S,
    pages: Pages<R>,
}

impl<S, R> ErrorPages<S, R> {
    inner_accessors!();
}

impl<S: Clone, R> Clone for ErrorPages<S, R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), pages: Arc::clone(&self.pages) }
    }
}

impl<S: fmt::Debug, R> fmt::Debug for ErrorPages<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ErrorPages").field("inner", &self.inner).field("pages", &self.pages.keys()).finish()
    }
}

impl<S, B, R> Service<Request<B>> for ErrorPages<S, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let method = request.method().clone();
        ResponseFuture { response: self.inner.call(request), pages: Arc::clone(&self.pages), method }
    }
}

pin_project! {
    /// The response future of [`ErrorPages`].
    pub struct ResponseFuture<F, R> {
        #[pin]
        response: F,
        pages: Pages<R>,
        method: Method,
    }
}

impl<F, R> fmt::Debug for ResponseFuture<F, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}

impl<F, R, E> Future for ResponseFuture<F, R>
where
    F: Future<Output = Result<Response<R>, E>>,
    R: From<Bytes>,
{
    type Output = Result<Response<R>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.response.poll(cx))?;
        let page = this.pages.get(&response.status()).filter(|_| response.extensions().get::<Cause>().is_some());
        Poll::Ready(Ok(match page {
            Some(page) => replace(response, page.response(this.method)),
            None => response,
        }))
    }
}

/// The response with the body of the page.
fn replace<R>(response: Response<R>, page: Response<R>) -> Response<R> {
    let (mut parts, _) = response.into_parts();
    let (of_page, body) = page.into_parts();
    for name in [CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE] {
        parts.headers.remove(name);
    }
    parts.headers.extend(of_page.headers);
    Response::from_parts(parts, body)
}

#[cfg(test)]
mod tests {
    use http::header::ALLOW;
    use tower::{BoxError, ServiceBuilder, ServiceExt};

    use super::*;
    use crate::{body::ResponseBody, framing::InvalidRequest, respond::RespondLayer};

    fn page(status: StatusCode, body: &'static str) -> FixedResponse<ResponseBody> {
        FixedResponse::new(status).unwrap().body(body)
    }

    async fn answered(method: Method, response: Result<Response<ResponseBody>, BoxError>) -> (Response<()>, Bytes) {
        let response = std::sync::Mutex::new(Some(response));
        let layer = ErrorPagesLayer::new()
            .page(page(StatusCode::BAD_GATEWAY, "an old page"))
            .page(page(StatusCode::BAD_GATEWAY, "a page"))
            .page(page(StatusCode::METHOD_NOT_ALLOWED, "another page"));
        let service = ServiceBuilder::new()
            .layer(layer)
            .layer(RespondLayer::new())
            .service_fn(|_: Request<()>| std::future::ready(response.lock().unwrap().take().unwrap()));
        let Ok(response) = service.oneshot(Request::builder().method(method).body(()).unwrap()).await;
        let (parts, body) = response.into_parts();
        let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        (Response::from_parts(parts, ()), body)
    }

    #[tokio::test]
    async fn errors_get_the_page_of_their_status() {
        let (response, body) = answered(Method::GET, Err("refused".into())).await;
        assert_eq!((response.status().as_u16(), &body[..]), (502, &b"a page"[..]));
        assert!(response.extensions().get::<Cause>().is_some());

        let (response, body) = answered(Method::GET, Err(InvalidRequest::Method.into())).await;
        assert_eq!((response.status().as_u16(), &body[..]), (405, &b"another page"[..]));
        assert!(response.headers().contains_key(ALLOW));

        let (response, body) = answered(Method::GET, Err(InvalidRequest::Length.into())).await;
        assert_eq!((response.status().as_u16(), &body[..]), (400, &b"400 Bad Request\n"[..]));
    }

    #[tokio::test]
    async fn head_gets_the_headers_of_the_page() {
        let (response, body) = answered(Method::HEAD, Err("refused".into())).await;
        assert_eq!((response.status().as_u16(), &body[..]), (502, &b""[..]));
        assert_eq!(response.headers()[CONTENT_LENGTH], "6");
    }

    #[tokio::test]
    async fn responses_of_the_inner_service_stay() {
        let mut response = Response::new(ResponseBody::from(Bytes::from("of the backend")));
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        let (response, body) = answered(Method::GET, Ok(response)).await;
        assert_eq!((response.status().as_u16(), &body[..]), (502, &b"of the backend"[..]));
    }
}
