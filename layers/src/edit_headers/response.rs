use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

use super::HeaderEdits;

/// Edits the headers of responses. Errors of the inner service pass unchanged: to edit the responses to them too, put this
/// layer outside the [`RespondLayer`](crate::respond::RespondLayer) that creates them.
#[derive(Debug, Clone)]
pub struct EditResponseHeadersLayer {
    edits: HeaderEdits,
}

impl EditResponseHeadersLayer {
    /// Creates a layer that makes these changes to each response.
    pub fn new(edits: HeaderEdits) -> Self {
        Self { edits }
    }
}

impl<S> Layer<S> for EditResponseHeadersLayer {
    type Service = EditResponseHeaders<S>;

    fn layer(&self, inner: S) -> Self::Service {
        EditResponseHeaders { inner, edits: self.edits.clone() }
    }
}

/// The service of [`EditResponseHeadersLayer`].
#[derive(Debug, Clone)]
pub struct EditResponseHeaders<S> {
    inner: S,
    edits: HeaderEdits,
}

impl<S> EditResponseHeaders<S> {
    inner_accessors!();
}

impl<S, B, R> Service<Request<B>> for EditResponseHeaders<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture { response: self.inner.call(request), edits: self.edits.clone() }
    }
}

pin_project! {
    /// The response future of [`EditResponseHeaders`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        response: F,
        edits: HeaderEdits,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.response.poll(cx))?;
        this.edits.apply(response.headers_mut());
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};
    use tower::{BoxError, ServiceBuilder, ServiceExt};

    use super::*;

    #[tokio::test]
    async fn responses_are_edited_after_the_inner_service() {
        let edits = HeaderEdits::new()
            .remove(HeaderName::from_static("server"))
            .add(HeaderName::from_static("x-tag"), HeaderValue::from_static("b"));
        let service =
            ServiceBuilder::new().layer(EditResponseHeadersLayer::new(edits)).service_fn(async |_: Request<()>| {
                Response::builder().header("server", "a").header("x-tag", "a").body(()).map_err(BoxError::from)
            });
        let response = service.oneshot(Request::new(())).await.unwrap();
        assert!(!response.headers().contains_key("server"));
        assert_eq!(response.headers().get_all("x-tag").iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
