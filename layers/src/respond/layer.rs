use std::{
    fmt,
    task::{Context, Poll, ready},
};

use http::{Request, Response, Version};
use tower::{BoxError, Layer, Service};

use super::{Answers, Pass, ResponseFuture, Row};

/// A layer that turns errors of the inner service into responses. The resulting service fails only with errors that are
/// let through with [`pass`](Self::pass).
///
/// The body type of the inner service must implement `From<String>`, as [`ResponseBody`](crate::body::ResponseBody),
/// `axum::body::Body`, `http_body_util::Full` and `String` do. Convert other bodies first, such as those of hyper-util's
/// client:
///
/// ```
/// use bytes::Bytes;
/// use http::Response;
/// use http_body_util::Empty;
/// use hyper::body::Incoming;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use pmesh_layers::{body::ResponseBody, connect::SourceConnector, respond::RespondLayer};
/// use tower::ServiceBuilder;
///
/// let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(SourceConnector::new());
/// let service = ServiceBuilder::new()
///     .layer(RespondLayer::new())
///     .map_response(|response: Response<Incoming>| response.map(ResponseBody::new))
///     .service(client);
/// ```
///
/// The response has the error in its extensions, as a [`Cause`](super::Cause). The [module](super) lists the answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct RespondLayer<A = ()> {
    answers: A,
}

impl RespondLayer {
    /// Creates a layer that answers according to the [table](super#the-table).
    pub fn new() -> Self {
        Self::default()
    }
}

impl<A> RespondLayer<A> {
    /// Adds a row: `answer` is called for errors of type `E`, and for errors caused by one.
    ///
    /// It returns a [`StatusCode`](http::StatusCode) or a [`Response`]; see [`Answer`](super::Answer). A response must
    /// have the body type of the inner service. With axum, you can write
    /// `(StatusCode::NOT_FOUND, "nothing here").into_response()`.
    ///
    /// Rows are tried in the order in which they were added, before the table.
    ///
    /// ```
    /// use http::{Request, Response, StatusCode};
    /// use pmesh_layers::{respond::RespondLayer, route::NoRoute};
    /// use tower::{BoxError, ServiceBuilder, ServiceExt};
    ///
    /// #[derive(Debug, thiserror::Error)]
    /// #[error("over quota")]
    /// struct OverQuota;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let service = ServiceBuilder::new()
    ///     .layer(
    ///         RespondLayer::new()
    ///             .on(|_: &OverQuota| StatusCode::TOO_MANY_REQUESTS)
    ///             .on(|_: &NoRoute| {
    ///                 let mut response = Response::new(String::from("Nothing here, sorry."));
    ///                 *response.status_mut() = StatusCode::NOT_FOUND;
    ///                 response
    ///             }),
    ///     )
    ///     .service_fn(async |_: Request<()>| Err::<Response<String>, _>(BoxError::from(OverQuota)));
    /// assert_eq!(service.oneshot(Request::new(())).await?.status(), StatusCode::TOO_MANY_REQUESTS);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on<E, F, T>(self, answer: F) -> RespondLayer<Row<A, E, F>>
    where
        E: std::error::Error + 'static,
        F: Fn(&E) -> T,
    {
        RespondLayer { answers: Row::new(self.answers, answer) }
    }

    /// Lets errors of type `E`, and errors caused by one, pass: the service returns them instead of answering them. This
    /// has priority over all rows and the table. The error type of the service is then [`BoxError`] instead of
    /// [`Infallible`](std::convert::Infallible).
    ///
    /// This is meant for [`NoResponse`](super::NoResponse); see there for an example.
    #[must_use]
    pub fn pass<E: std::error::Error + 'static>(self) -> RespondLayer<Pass<A, E>> {
        RespondLayer { answers: Pass::new(self.answers) }
    }
}

impl<S, A: Clone> Layer<S> for RespondLayer<A> {
    type Service = Respond<S, A>;

    fn layer(&self, inner: S) -> Self::Service {
        Respond { inner, answers: self.answers.clone(), broken: None }
    }
}

/// The service of [`RespondLayer`].
pub struct Respond<S, A = ()> {
    inner: S,
    answers: A,
    /// The error of an inner service that cannot become ready. It is the result of the next request.
    broken: Option<BoxError>,
}

impl<S, A> Respond<S, A> {
    inner_accessors!();
}

impl<S: Clone, A: Clone> Clone for Respond<S, A> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), answers: self.answers.clone(), broken: None }
    }
}

impl<S: fmt::Debug, A> fmt::Debug for Respond<S, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Respond").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<S, A, B, R> Service<Request<B>> for Respond<S, A>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    A: Answers<R> + Clone,
    R: From<String>,
{
    type Response = Response<R>;
    type Error = A::Error;
    type Future = ResponseFuture<S::Future, A>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), A::Error>> {
        if self.broken.is_none() {
            self.broken = ready!(self.inner.poll_ready(cx)).err().map(Into::into);
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let http1 = request.version() < Version::HTTP_2;
        match self.broken.take() {
            None => ResponseFuture::inner(self.inner.call(request), self.answers.clone(), http1),
            Some(error) => ResponseFuture::error(error, self.answers.clone(), http1),
        }
    }
}
