use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep};
use tower::BoxError;

use super::{NoResponse, TimedOut, progress::Progress};
use crate::balance::TimeLeft;

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
        // Whether the time is what attempts at other endpoints have left.
        is_rest: bool,
        progress: Option<Arc<Progress>>,
    }
}

impl<F> ResponseFuture<F> {
    /// Waits for `timeout`, or for the `rest` of it.
    pub(super) fn new(response: F, timeout: Duration, rest: Option<TimeLeft>, progress: Option<Arc<Progress>>) -> Self {
        let rest = rest.map(|TimeLeft(left)| left).filter(|left| *left < timeout);
        let timeout = rest.unwrap_or(timeout);
        let first = progress.as_ref().map_or(timeout, |progress| progress.first_look(timeout));
        Self { response, timer: sleep(first), timeout, is_rest: rest.is_some(), progress }
    }
}

impl<F, T, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = Result<T, NoResponse>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        match this.response.poll(cx) {
            // By itself, so that it is not copied for the sake of the error.
            Poll::Ready(Ok(response)) => return Poll::Ready(Ok(response)),
            Poll::Ready(Err(error)) => {
                let left = this.timer.deadline().saturating_duration_since(Instant::now());
                return Poll::Ready(Err(NoResponse::Inner { error: error.into(), left }));
            }
            Poll::Pending => {}
        }
        loop {
            ready!(this.timer.as_mut().poll(cx));
            let looked = this.progress.as_ref().map_or(Err(TimedOut::Backend), |progress| progress.look(*this.timeout));
            match looked {
                Ok(again) => this.timer.as_mut().reset(Instant::now() + again),
                Err(TimedOut::Backend) if *this.is_rest => return Poll::Ready(Err(NoResponse::NoTimeLeft)),
                Err(timed_out) => return Poll::Ready(Err(NoResponse::TimedOut(timed_out))),
            }
        }
    }
}
