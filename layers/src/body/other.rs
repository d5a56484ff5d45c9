use std::{
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tower::BoxError;

use super::RequestBodyError;

type BoxBody = Pin<Box<dyn Body<Data = Bytes, Error = RequestBodyError> + Send>>;

/// Any body. The lock makes it `Sync`, as requests have to be and few bodies are; it is always free.
pub(super) struct Other(Mutex<BoxBody>);

impl Other {
    pub(super) fn new<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        Self(Mutex::new(Box::pin(Boxable { inner: body })))
    }

    pub(super) fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll_frame(cx)
    }

    pub(super) fn look<T>(&self, look: impl FnOnce(&BoxBody) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Other {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Other").finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// A body with its error converted, so that it can be boxed.
    struct Boxable<B> {
        #[pin]
        inner: B,
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Body for Boxable<B> {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        self.project().inner.poll_frame(cx).map_err(|error| RequestBodyError::other(error.into()))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
