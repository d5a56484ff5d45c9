use std::{
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tower::BoxError;

type BoxBody<E> = Pin<Box<dyn Body<Data = Bytes, Error = E> + Send>>;

/// Any body, with `E` as its error. The lock makes it `Sync`, as requests must be and few bodies are. It is never
/// contended.
pub(super) struct Other<E>(Mutex<BoxBody<E>>);

impl<E: 'static> Other<E> {
    pub(super) fn new<B>(inner: B, error: fn(BoxError) -> E) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self(Mutex::new(Box::pin(Boxable { inner, error })))
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll_frame(cx)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}

impl<E> fmt::Debug for Other<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Other").finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// A body with its error converted, so that it can be boxed.
    struct Boxable<B, E> {
        #[pin]
        inner: B,
        error: fn(BoxError) -> E,
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>, E> Body for Boxable<B, E> {
    type Data = Bytes;
    type Error = E;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        let this = self.project();
        this.inner.poll_frame(cx).map_err(|error| (this.error)(error.into()))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
