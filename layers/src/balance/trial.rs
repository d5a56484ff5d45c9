use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use tokio::{
    sync::oneshot::{self, error::TryRecvError},
    time::{Sleep, sleep, timeout},
};
use tower::{BoxError, Service};

use super::{
    Classify, NoEndpoint,
    classify::{failed_response, failure_of},
    health::{Lease, Mark},
    record::Record,
};
use crate::{body::RequestBody, call::Call};

/// How long a request waits for a failed endpoint before it is also sent to a healthy one.
const WAIT_LIMIT: Duration = Duration::from_millis(250);
/// How long a trial can run when no request waits for it. Endpoints should have a timeout of their own.
const MAX_DURATION: Duration = Duration::from_secs(600);

/// A test of whether a failed endpoint responds again, with a request that can also be sent elsewhere.
///
/// If it takes too long, the endpoint backs off again, because it may hang, and the request is also sent elsewhere. But
/// the trial continues in its own task, because any response makes the endpoint healthy, even one that arrives second.
/// The response is kept in case the other endpoint fails.
pub(super) struct Trial<S: Service<Request<RequestBody>>> {
    pub(super) index: usize,
    pub(super) began: Mark,
    state: State<S>,
    /// The error of the other endpoint, which is returned if the trial fails too.
    failed: Option<BoxError>,
}

enum State<S: Service<Request<RequestBody>>> {
    Foreground {
        call: Pin<Box<Call<S, Request<RequestBody>>>>,
        /// Held until there is an outcome.
        lease: Lease,
        /// `None` if there is no other endpoint to send the request to.
        patience: Option<Pin<Box<Sleep>>>,
    },
    /// Receives the response, or is closed if the trial fails.
    Background(oneshot::Receiver<S::Response>),
    /// There is no endpoint to send the request to.
    Rejected,
    Ended,
}

/// The state of a trial that the request is waiting for.
pub(super) enum Waited<T, E> {
    Ended(Result<T, E>, Lease),
    TakesLong,
    /// The endpoint responded after the request had also been sent elsewhere.
    Responded(T),
    /// Both endpoints have failed.
    Failed(BoxError),
}

impl<S: Service<Request<RequestBody>>> Trial<S> {
    pub(super) fn new(call: Call<S, Request<RequestBody>>, index: usize, began: Mark, lease: Lease) -> Self {
        let patience = Some(Box::pin(sleep(WAIT_LIMIT)));
        Self { index, began, state: State::Foreground { call: Box::pin(call), lease, patience }, failed: None }
    }

    /// Returns a trial that fails with `error` without sending anything.
    pub(super) fn rejected(error: BoxError) -> Self {
        Self { index: 0, began: Mark::NEW, state: State::Rejected, failed: Some(error) }
    }

    /// Polls the trial. Must be called only while the request waits for nothing else.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Waited<S::Response, S::Error>> {
        match &mut self.state {
            State::Foreground { call, patience, .. } => {
                let Poll::Ready(result) = call.as_mut().poll(cx) else {
                    if let Some(patience) = patience {
                        ready!(patience.as_mut().poll(cx));
                        return Poll::Ready(Waited::TakesLong);
                    }
                    return Poll::Pending;
                };
                match std::mem::replace(&mut self.state, State::Ended) {
                    State::Foreground { lease, .. } => Poll::Ready(Waited::Ended(result, lease)),
                    _ => Poll::Pending,
                }
            }
            State::Background(response) => {
                Poll::Ready(match (ready!(Pin::new(response).poll(cx)), self.failed.take()) {
                    (Ok(response), _) => Waited::Responded(response),
                    (Err(_), failed) => Waited::Failed(failed.unwrap_or_else(|| "the trial failed".into())),
                })
            }
            State::Rejected => Poll::Ready(Waited::Failed(self.failed.take().unwrap_or_else(|| NoEndpoint.into()))),
            State::Ended => Poll::Pending,
        }
    }

    /// Makes the request wait for the trial, however long it takes.
    pub(super) fn wait_on(&mut self) {
        if let State::Foreground { patience, .. } = &mut self.state {
            *patience = None;
        }
    }

    /// Returns the response, if it arrived while the request was waiting for another endpoint.
    pub(super) fn response(&mut self) -> Option<S::Response> {
        let State::Background(response) = &mut self.state else { return None };
        let received = response.try_recv();
        if !matches!(received, Err(TryRecvError::Empty)) {
            self.state = State::Ended;
        }
        received.ok()
    }

    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Makes the request wait for the trial in the background. If the trial fails too, the request fails with `error`.
    pub(super) fn wait_instead_of(&mut self, error: BoxError) {
        self.failed = Some(error);
    }
}

impl<S, R> Trial<S>
where
    S: Service<Request<RequestBody>, Response = Response<R>, Error: Into<BoxError> + 'static, Future: Send>
        + Send
        + 'static,
    R: Send + 'static,
{
    /// Continues the trial in a task, so that the request can be sent to another endpoint.
    pub(super) fn move_to_background(&mut self, record: Arc<Record>, classify: Option<Arc<dyn Classify>>) {
        let State::Foreground { call, lease, .. } = std::mem::replace(&mut self.state, State::Ended) else { return };
        lease.postpone();
        let (respond, response) = oneshot::channel();
        let began = self.began;
        tokio::spawn(async move {
            let classify = classify.as_deref();
            match timeout(MAX_DURATION, call).await {
                // On failure there is nothing to report: the endpoint is already backing off.
                Ok(Ok(response)) => match failed_response(&response, classify) {
                    Some(failure) => record.count(&failure),
                    None => {
                        record.health.succeeded(began);
                        // The request may not be waiting for it any more.
                        let _ = respond.send(response);
                    }
                },
                Ok(Err(error)) => record.count(&failure_of(error, classify).0),
                Err(_) => record.stats.count_failure(),
            }
        });
        self.state = State::Background(response);
    }
}
