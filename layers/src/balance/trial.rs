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
    Classify,
    classify::{failed_response, failure_of},
    health::{Lease, Mark},
    record::Record,
};
use crate::{body::RequestBody, call::Call};

/// How long a request waits for an endpoint that failed before. After that it is also sent to one that is well.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long a trial may go on when no request waits for it. Endpoints should have a timeout of their own.
const LONGEST: Duration = Duration::from_secs(600);

/// An attempt to find out whether a failed endpoint responds again, with a request that can be sent elsewhere.
///
/// If it takes long, the endpoint is left alone for a while again, as it may hang. But the trial goes on in a task of its
/// own: the endpoint is well if it responds at all, however fast another one is. Its response is kept for the request,
/// should the other endpoint fail.
pub(super) struct Trial<S: Service<Request<RequestBody>>> {
    pub(super) index: usize,
    pub(super) began: Mark,
    state: State<S>,
    /// The error of the other endpoint, which the request ends in if the trial fails, too.
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
    /// The response; nothing if the trial has failed.
    Background(oneshot::Receiver<S::Response>),
    Ended,
}

/// The state of a trial that the request is waiting for.
pub(super) enum Waited<T, E> {
    Ended(Result<T, E>, Lease),
    TakesLong,
    /// It has responded, after the request was sent elsewhere, too.
    Responded(T),
    /// It has failed, as had the other endpoint.
    Failed(BoxError),
}

impl<S: Service<Request<RequestBody>>> Trial<S> {
    pub(super) fn new(call: Call<S, Request<RequestBody>>, index: usize, began: Mark, lease: Lease) -> Self {
        let patience = Some(Box::pin(sleep(PATIENCE)));
        Self { index, began, state: State::Foreground { call: Box::pin(call), lease, patience }, failed: None }
    }

    /// Polls while the request waits for nothing else.
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
            State::Ended => Poll::Pending,
        }
    }

    /// Lets the request wait until the trial is done.
    pub(super) fn wait_on(&mut self) {
        if let State::Foreground { patience, .. } = &mut self.state {
            *patience = None;
        }
    }

    /// The response, if it has come while the request was waiting for another endpoint.
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

    /// Lets the request wait for the trial, which goes on in the background. If it fails, the request ends in `error`.
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
    /// Continues the trial in a task: the request is sent to another endpoint.
    pub(super) fn move_to_background(&mut self, record: Arc<Record>, classify: Option<Arc<dyn Classify>>) {
        let State::Foreground { call, lease, .. } = std::mem::replace(&mut self.state, State::Ended) else { return };
        lease.postpone();
        let (respond, response) = oneshot::channel();
        let began = self.began;
        tokio::spawn(async move {
            let classify = classify.as_deref();
            match timeout(LONGEST, call).await {
                // If it fails, it is left alone already.
                Ok(Ok(response)) => match failed_response(&response, classify) {
                    Some(failure) => record.count(&failure),
                    None => {
                        record.health.succeeded(began);
                        // Nobody may be waiting for it.
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
