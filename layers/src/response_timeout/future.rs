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
        // Not reset for each piece of the body: when it fires, the progress is checked.
        #[pin]
        timer: Sleep,
        timeout: Duration,
        // Whether `timeout` is the time left by attempts at other endpoints.
        is_rest: bool,
        progress: Option<Arc<Progress>>,
    }
}

impl<F> ResponseFuture<F> {
    /// Waits for `timeout`, or for `rest` if that is less.
    pub(super) fn new(response: F, timeout: Duration, rest: Option<TimeLeft>, progress: Option<Arc<Progress>>) -> Self {
        let rest = rest.map(|TimeLeft(left)| left).filter(|left| *left < timeout);
        let timeout = rest.unwrap_or(timeout);
        let first = progress.as_ref().map_or(timeout, |progress| progress.first_check(timeout));
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
            // In an arm of its own, so that the large response is not copied.
            Poll::Ready(Ok(response)) => return Poll::Ready(Ok(response)),
            Poll::Ready(Err(error)) => {
                let left = this.timer.deadline().saturating_duration_since(Instant::now());
                return Poll::Ready(Err(NoResponse::Inner { error: error.into(), left }));
            }
            Poll::Pending => {}
        }
        loop {
            ready!(this.timer.as_mut().poll(cx));
            let checked =
                this.progress.as_ref().map_or(Err(TimedOut::Backend), |progress| progress.check(*this.timeout));
            match checked {
                Ok(again) => this.timer.as_mut().reset(Instant::now() + again),
                Err(TimedOut::Backend) if *this.is_rest => return Poll::Ready(Err(NoResponse::NoTimeLeft)),
                Err(timed_out) => return Poll::Ready(Err(NoResponse::TimedOut(timed_out))),
            }
        }
    }
}
