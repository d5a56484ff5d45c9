//! The response future of layers that pass a request on or reject it.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower::BoxError;

pin_project! {
    /// The response of the inner service, or the error of a layer that rejected the request.
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Debug)]
    enum Kind<F> {
        Inner { #[pin] future: F },
        Stopped { error: Option<BoxError> },
    }
}

impl<F> ResponseFuture<F> {
    /// Creates a future that resolves to the response of the inner service.
    pub fn inner(future: F) -> Self {
        Self { kind: Kind::Inner { future } }
    }

    /// Creates a future that fails without calling the inner service.
    pub fn error(error: impl Into<BoxError>) -> Self {
        Self { kind: Kind::Stopped { error: Some(error.into()) } }
    }
}

impl<F, T, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = Result<T, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Inner { future } => future.poll(cx).map_err(Into::into),
            KindProj::Stopped { error } => match error.take() {
                Some(error) => Poll::Ready(Err(error)),
                None => panic!("polled after completion"),
            },
        }
    }
}
