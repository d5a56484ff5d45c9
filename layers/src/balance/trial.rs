use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Request;
use tokio::time::{Sleep, sleep};
use tower::{BoxError, Service};

use super::{
    Once, Unsent,
    failure::Failure,
    health::{Lease, Mark},
    record::Record,
};
use crate::call::Call;

/// How long a request waits for an endpoint that failed before. After that it is sent to one that is well, and the
/// trial has until that one responds.
const PATIENCE: Duration = Duration::from_millis(250);

/// An attempt to find out whether a failed endpoint responds again, with a request that can be sent elsewhere.
pub(super) struct Trial<S: Service<Request<Once<B>>>, B> {
    call: Pin<Box<Call<S, Request<Once<B>>>>>,
    record: Arc<Record>,
    began: Mark,
    /// Held until there is an outcome.
    lease: Option<Lease>,
    patience: Pin<Box<Sleep>>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Foreground,
    /// There is no other endpoint to send the request to.
    ForegroundUntilDone,
    Background,
}

/// The state of a trial that the request is waiting for.
pub(super) enum Foreground<T> {
    Ended(T, Option<Lease>),
    TakesLong,
}

impl<S: Service<Request<Once<B>>>, B> Trial<S, B> {
    pub(super) fn new(call: Call<S, Request<Once<B>>>, record: Arc<Record>, began: Mark, lease: Lease) -> Self {
        Self {
            call: Box::pin(call),
            record,
            began,
            lease: Some(lease),
            patience: Box::pin(sleep(PATIENCE)),
            state: State::Foreground,
        }
    }

    /// Polls for the response, or for the end of the request's patience.
    pub(super) fn poll_foreground(&mut self, cx: &mut Context<'_>) -> Poll<Foreground<Result<S::Response, S::Error>>> {
        if let Poll::Ready(result) = self.call.as_mut().poll(cx) {
            return Poll::Ready(Foreground::Ended(result, self.lease.take()));
        }
        if self.state == State::Foreground && self.patience.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Foreground::TakesLong);
        }
        Poll::Pending
    }

    /// Lets the request wait until the trial is done.
    pub(super) fn wait_on(&mut self) {
        self.state = State::ForegroundUntilDone;
    }

    /// Continues the trial in the background: the request is sent to another endpoint.
    pub(super) fn move_to_background(&mut self) {
        self.state = State::Background;
    }

    /// Polls the trial while the request waits for another endpoint.
    pub(super) fn poll_background(&mut self, cx: &mut Context<'_>)
    where
        S::Error: Unsent<Request<Once<B>>> + Into<BoxError>,
    {
        if self.state != State::Background || self.lease.is_none() {
            return;
        }
        if let Poll::Ready(result) = self.call.as_mut().poll(cx)
            && let Some(lease) = self.lease.take()
        {
            match result {
                Ok(_) => drop(self.record.health.succeeded(self.began)),
                Err(error) => self.record.failed(self.began, Some(&lease), &Failure::of(error)),
            }
        }
    }
}

impl<S: Service<Request<Once<B>>>, B> Drop for Trial<S, B> {
    fn drop(&mut self) {
        // The other endpoint was at least 250 ms faster.
        if self.state == State::Background
            && let Some(lease) = self.lease.take()
        {
            self.record.health.failed(self.began, Some(&lease), || "slower than another endpoint".to_owned(), None);
        }
    }
}
