use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::progress::Progress;

pin_project! {
    /// A request body that tells its [`ResponseTimeout`](super::ResponseTimeout) when a piece of it has moved.
    #[derive(Debug)]
    pub struct WatchedBody<B> {
        #[pin]
        inner: B,
        progress: Option<Arc<Progress>>,
    }
}

impl<B> WatchedBody<B> {
    pub(super) fn new(inner: B, progress: Option<Arc<Progress>>) -> Self {
        Self { inner, progress }
    }

    pub(super) fn into_inner(self) -> B {
        self.inner
    }
}

impl<B: Body> Body for WatchedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let polled = this.inner.poll_frame(cx);
        if let Some(progress) = this.progress {
            match &polled {
                Poll::Pending => progress.waits_for_client(),
                Poll::Ready(Some(Ok(frame))) => progress.moved(frame.data_ref().map_or(0, Buf::remaining)),
                Poll::Ready(_) => progress.moved(0),
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
