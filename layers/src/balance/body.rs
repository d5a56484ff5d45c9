use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::health::Health;

pin_project! {
    /// A response body of [`Balance`](super::Balance): one that breaks off is a failure of its endpoint.
    #[derive(Debug)]
    pub struct BalancedBody<B> {
        #[pin]
        inner: B,
        health: Option<Arc<Health>>,
    }
}

impl<B> BalancedBody<B> {
    pub(super) fn new(inner: B, health: Option<Arc<Health>>) -> Self {
        Self { inner, health }
    }
}

impl<B: Body> Body for BalancedBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.inner.poll_frame(cx));
        if let Some(Err(_)) = &frame
            && let Some(health) = this.health.take()
        {
            health.failed(None, None);
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
