use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};

use super::{NoResponse, TimedOut, progress::Progress};

pin_project! {
    /// The response future of [`ResponseTimeout`](super::ResponseTimeout).
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        response: F,
        // Pieces do not move it: when it fires, it looks what has come by then.
        #[pin]
        timer: Sleep,
        timeout: Duration,
        progress: Option<Arc<Progress>>,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(response: F, timeout: Duration, progress: Option<Arc<Progress>>) -> Self {
        let first = progress.as_ref().map_or(timeout, |progress| progress.first_look(timeout));
        Self { response, timer: sleep(first), timeout, progress }
    }
}

impl<F, T, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, NoResponse<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Poll::Ready(response) = this.response.poll(cx) {
            return Poll::Ready(response.map_err(NoResponse::Inner));
        }
        loop {
            ready!(this.timer.as_mut().poll(cx));
            let looked = this.progress.as_ref().map_or(Err(TimedOut::Backend), |progress| progress.look(*this.timeout));
            match looked {
                Ok(again) => this.timer.as_mut().reset(Instant::now() + again),
                Err(timed_out) => return Poll::Ready(Err(NoResponse::TimedOut(timed_out))),
            }
        }
    }
}
