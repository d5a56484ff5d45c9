use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::Request;
use tokio::time::{Sleep, sleep};
use tower::Service;

use super::{Once, Unsent, health::Lease};
use crate::call::Call;

/// How long a request waits for an endpoint that has failed before. Then it goes to one that is well, and the endpoint
/// has until the response from there comes.
const IN_FRONT: Duration = Duration::from_millis(250);

/// A request that finds out whether an endpoint answers again, and that can be sent elsewhere if it does not.
pub(super) struct Trial<S: Service<Request<Once<B>>>, B> {
    call: Pin<Box<Call<S, Request<Once<B>>>>>,
    /// Until there is an outcome.
    lease: Option<Lease>,
    patience: Pin<Box<Sleep>>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    InFront,
    /// As there is no endpoint to go to instead.
    InFrontForGood,
    Beside,
}

/// What has become of a trial that a request waits for.
pub(super) enum InFront<T> {
    Ended(T, Option<Lease>),
    TakesLong,
}

impl<S: Service<Request<Once<B>>>, B> Trial<S, B> {
    pub(super) fn new(call: Call<S, Request<Once<B>>>, lease: Lease) -> Self {
        Self { call: Box::pin(call), lease: Some(lease), patience: Box::pin(sleep(IN_FRONT)), state: State::InFront }
    }

    /// Waits for the response for as long as a request may have to.
    pub(super) fn poll_in_front(&mut self, cx: &mut Context<'_>) -> Poll<InFront<Result<S::Response, S::Error>>> {
        if let Poll::Ready(result) = self.call.as_mut().poll(cx) {
            return Poll::Ready(InFront::Ended(result, self.lease.take()));
        }
        if self.state == State::InFront && self.patience.as_mut().poll(cx).is_ready() {
            return Poll::Ready(InFront::TakesLong);
        }
        Poll::Pending
    }

    /// The request waits on.
    pub(super) fn wait_on(&mut self) {
        self.state = State::InFrontForGood;
    }

    /// The request was sent to another endpoint.
    pub(super) fn step_aside(&mut self) {
        self.state = State::Beside;
    }

    /// Sees whether the endpoint has answered, beside the one that the request was sent to.
    pub(super) fn poll_beside(&mut self, cx: &mut Context<'_>)
    where
        S::Error: Unsent<Request<Once<B>>>,
    {
        if self.state != State::Beside || self.lease.is_none() {
            return;
        }
        if let Poll::Ready(result) = self.call.as_mut().poll(cx)
            && let Some(lease) = self.lease.take()
        {
            match result {
                Ok(_) => lease.succeeded(),
                Err(error) => lease.failed(error.unreachable()),
            }
        }
    }
}

impl<S: Service<Request<Once<B>>>, B> Drop for Trial<S, B> {
    fn drop(&mut self) {
        // The other was faster by far.
        if self.state == State::Beside
            && let Some(lease) = self.lease.take()
        {
            lease.failed(None);
        }
    }
}
