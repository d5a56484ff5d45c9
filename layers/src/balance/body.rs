use std::{
    fmt::Display,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::{health::Mark, record::Record};

pin_project! {
    /// A response body of [`Balance`](super::Balance): one that breaks off is a failure of its endpoint.
    #[derive(Debug)]
    pub struct BalancedBody<B> {
        #[pin]
        inner: B,
        watched: Option<(Arc<Record>, Mark)>,
    }
}

impl<B> BalancedBody<B> {
    pub(super) fn new(inner: B, watched: Option<(Arc<Record>, Mark)>) -> Self {
        Self { inner, watched }
    }
}

impl<B: Body> Body for BalancedBody<B>
where
    B::Error: Display,
{
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if let Some(Err(error)) = &frame
            && let Some((record, began)) = this.watched.take()
        {
            record.broke_off(began, error);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
