use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tower::BoxError;

pin_project! {
    /// The response future of [`BufferBody`](super::BufferBody).
    pub struct BufferBodyFuture<F, T> {
        #[pin]
        kind: Kind<F, T>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<F, T> {
        Inner { #[pin] future: F },
        Buffered { future: Buffered<T> },
    }
}

type Buffered<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

impl<F, T> BufferBodyFuture<F, T> {
    pub(super) fn inner(future: F) -> Self {
        Self { kind: Kind::Inner { future } }
    }

    pub(super) fn buffered(future: impl Future<Output = Result<T, BoxError>> + Send + 'static) -> Self {
        Self { kind: Kind::Buffered { future: Box::pin(future) } }
    }
}

impl<F, T, E> Future for BufferBodyFuture<F, T>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = Result<T, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Inner { future } => future.poll(cx).map_err(Into::into),
            KindProj::Buffered { future } => future.as_mut().poll(cx),
        }
    }
}

impl<F, T> fmt::Debug for BufferBodyFuture<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferBodyFuture").finish_non_exhaustive()
    }
}
