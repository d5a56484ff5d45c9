use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Request, Response, request::Parts};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::{BoxError, Service};

use super::{
    AllDrained, AllUnreachable, Attempts, EndpointError, Failure, NoEndpoint, TimeLeft,
    budget::{SENT, UNSENT},
    classify::{failed_response, failure_of},
    copy::{RequestCopy, is_idempotent},
    endpoints::{Endpoints, Tried, Turn},
    error::FailedResponse,
    failure::Progress,
    health::{Lease, Mark},
    record::Record,
    share::SHARES,
    trial::{Trial, Waited},
};
use crate::{
    body::{RequestBody, ResponseBody},
    call::Call,
    conn::{ConnInfo, TiedTo},
};

pin_project! {
    /// The response future of [`Balance`](super::Balance).
    pub struct ResponseFuture<S: Service<Request<RequestBody>>> {
        #[pin]
        attempt: Option<Call<S, Request<RequestBody>>>,
        endpoints: Arc<Endpoints<S>>,
        index: usize,
        // The state of the endpoint when the attempt began.
        began: Mark,
        // Set if the attempt tests whether its endpoint has recovered.
        lease: Option<Lease>,
        // The attempt at a failed endpoint, if the request can go elsewhere. Boxed, because it is rare.
        trial: Option<Box<Trial<S>>>,
        // For a retry, if the request may be retried.
        copy: Option<RequestCopy>,
        tried: Tried,
        // Endpoints whose connection timed out.
        black_holes: u32,
        // Whether an attempt has sent any of the request.
        was_sent: bool,
        attempts: Option<Attempts>,
    }
}

impl<S> ResponseFuture<S>
where
    S: Service<Request<RequestBody>> + Clone,
{
    /// Sends `request` to the endpoint whose turn it is.
    ///
    /// Requests and futures are large, and copying them is most of the cost here. So in the common case they are built in
    /// place.
    #[inline]
    pub(super) fn new(endpoints: Arc<Endpoints<S>>, parts: Parts, mut body: RequestBody) -> Self {
        // A trial runs alongside the next attempt and can finish after it: a late DELETE could undo later changes.
        let repeatable = parts.method.is_safe() && body.is_end_stream();
        // A client stays with the endpoint to which it has its own connection.
        let ties = parts.extensions.get().and_then(ConnInfo::ties);
        let tied = ties.and_then(|ties| endpoints.tied(ties)).map(Turn::Healthy);
        let attempts = parts.extensions.get::<Attempts>().cloned();
        let turn = tied.unwrap_or_else(|| endpoints.turn(repeatable));
        let Turn::Healthy(index) = turn else { return Self::on_trial(endpoints, parts, body, attempts, turn) };
        let Some(mut service) = endpoints.service(index) else {
            return Self::on_trial(endpoints, parts, body, attempts, turn);
        };
        Self {
            began: endpoints.begin(index, attempts.as_ref()),
            copy: RequestCopy::new(&parts, &mut body, endpoints.classify.is_some()),
            attempt: Some(Call::new(&mut service, Request::from_parts(parts, body))),
            endpoints,
            index,
            lease: None,
            trial: None,
            tried: Tried::only(index),
            black_holes: 0,
            was_sent: false,
            attempts,
        }
    }

    /// Sends the request to a failed endpoint, if `turn` has one.
    #[cold]
    fn on_trial(
        endpoints: Arc<Endpoints<S>>,
        parts: Parts,
        mut body: RequestBody,
        attempts: Option<Attempts>,
        turn: Turn,
    ) -> Self {
        if let Turn::AllDrained = turn {
            return Self::rejected(endpoints, AllDrained::new(Request::from_parts(parts, body)));
        }
        let repeatable = parts.method.is_safe() && body.is_end_stream();
        let copy = RequestCopy::new(&parts, &mut body, endpoints.classify.is_some());
        let mut future = Self {
            attempt: None,
            endpoints,
            index: 0,
            began: Mark::NEW,
            lease: None,
            trial: None,
            copy,
            tried: Tried::default(),
            black_holes: 0,
            was_sent: false,
            attempts,
        };
        if let Turn::OnTrial(index, lease) = turn
            && let Some(mut service) = future.endpoints.service(index)
        {
            (future.index, future.tried) = (index, Tried::only(index));
            future.began = future.endpoints.begin(index, future.attempts.as_ref());
            let call = Call::new(&mut service, Request::from_parts(parts, body));
            if repeatable {
                future.trial = Some(Box::new(Trial::new(call, index, future.began, lease)));
            } else {
                (future.attempt, future.lease) = (Some(call), Some(lease));
            }
        }
        future
    }

    /// Sends the request nowhere.
    fn rejected(endpoints: Arc<Endpoints<S>>, error: AllDrained) -> Self {
        Self {
            attempt: None,
            endpoints,
            index: 0,
            began: Mark::NEW,
            lease: None,
            trial: Some(Box::new(Trial::rejected(error.into()))),
            copy: None,
            tried: Tried::default(),
            black_holes: 0,
            was_sent: false,
            attempts: None,
        }
    }
}

impl<S, R> Future for ResponseFuture<S>
where
    S: Service<Request<RequestBody>, Response = Response<R>, Future: Send> + Clone + Send + 'static,
    S::Error: Into<BoxError> + 'static,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Output = Result<Response<ResponseBody>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let result = match self.as_mut().project().attempt.as_pin_mut() {
                Some(attempt) => match attempt.poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(response)) if self.endpoints.classify.is_none() => {
                        return Poll::Ready(Ok(self.accept(response)));
                    }
                    Poll::Ready(result) => result,
                },
                None => ready!(self.as_mut().poll_trial(cx))?,
            };
            let classify = self.endpoints.classify.as_deref();
            let ended = match result {
                Ok(response) => match failed_response(&response, classify) {
                    None => return Poll::Ready(Ok(self.accept(response))),
                    Some(failure) => {
                        let error = FailedResponse(response.status()).into();
                        self.as_mut().fail(failure, error, Some(response))
                    }
                },
                Err(error) => {
                    let (failure, error) = failure_of(error, classify);
                    self.as_mut().fail(failure, error, None)
                }
            };
            if let Some(result) = ended {
                return Poll::Ready(result);
            }
        }
    }
}

impl<S, R> ResponseFuture<S>
where
    S: Service<Request<RequestBody>, Response = Response<R>> + Clone,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    /// Handles the failure of the current attempt: starts another one, or returns the result of the request.
    #[cold]
    fn fail(
        mut self: Pin<&mut Self>,
        mut failure: Failure,
        error: BoxError,
        response: Option<Response<R>>,
    ) -> Option<Result<Response<ResponseBody>, BoxError>> {
        let this = self.as_mut().project();
        *this.black_holes += u32::from(failure.is_connect_timeout);
        *this.was_sent |= !failure.is_unsent();
        this.endpoints.record(*this.index).failed(*this.began, this.lease.take().as_ref(), &failure, &error);
        if let Some(response) = this.trial.as_mut().and_then(|trial| trial.response()) {
            self.as_mut().return_to_trial();
            return Some(Ok(self.accept(response)));
        }
        // The trial may have failed too.
        this.trial.take_if(|trial| trial.has_ended());
        let request = again(&mut failure, this.copy).filter(|_| *this.black_holes < SHARES);
        // The endpoint may have closed an idle connection just as the request was sent.
        let index = *this.index;
        let is_first = !failure.is_unsent() && response.is_none() && this.tried.count() == 1;
        let mut left = None;
        if let Some(request) = request {
            let same = || Some(index).filter(|_| is_first && this.endpoints.is_only(index));
            let next = this.endpoints.after(this.tried).or_else(same);
            let cost = if failure.is_without_effect() { UNSENT } else { SENT };
            let is_allowed =
                |next: &usize| this.endpoints.health(*next).is_healthy() || this.endpoints.budget().spend(cost);
            match next.filter(is_allowed) {
                Some(next) => {
                    self.try_at(next, request);
                    return None;
                }
                None => left = Some(request),
            }
        }
        if let Some(response) = response {
            return Some(Ok(self.pass_on(response, None)));
        }
        let name = &this.endpoints.names()[*this.index];
        let failed = EndpointError::new(name, this.tried.count(), !failure.is_blameless, error);
        let failed: BoxError = match left {
            Some(mut request) if this.endpoints.returns_requests && this.trial.is_none() => {
                if let Some(attempts) = this.attempts {
                    request.extensions_mut().insert(attempts.clone());
                }
                failed.returning(request, !*this.was_sent).into()
            }
            _ => failed.into(),
        };
        match this.trial {
            Some(trial) => trial.wait_instead_of(failed),
            None => return Some(Err(failed)),
        }
        self.project().attempt.set(None);
        None
    }
}

impl<S, R> ResponseFuture<S>
where
    S: Service<Request<RequestBody>, Response = Response<R>>,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    /// Returns the response of the current attempt to the client.
    #[inline]
    fn accept(self: Pin<&mut Self>, response: Response<R>) -> Response<ResponseBody> {
        let record = self.endpoints.record(self.index);
        let mark = record.health.succeeded(self.began);
        // If the client is still sending the request, a broken response may be the client's fault.
        let watched = self.copy.as_ref().is_some_and(RequestCopy::is_complete).then(|| (Arc::clone(record), mark));
        self.pass_on(response, watched)
    }

    /// Returns the response of the current attempt. With `watched`, a body that breaks off counts as a failure.
    #[inline]
    fn pass_on(
        self: Pin<&mut Self>,
        response: Response<R>,
        watched: Option<(Arc<Record>, Mark)>,
    ) -> Response<ResponseBody> {
        let this = self.project();
        let (mut parts, body) = response.into_parts();
        if let Some(TiedTo(client)) = parts.extensions.remove() {
            client.ties_or_new().record_endpoint(&this.endpoints.names()[*this.index]);
        }
        let mut body = ResponseBody::new(body);
        if let Some((record, mark)) = watched {
            body.watch(record, mark.bits());
        }
        Response::from_parts(parts, body)
    }
}

impl<S, R> ResponseFuture<S>
where
    S: Service<Request<RequestBody>, Response = Response<R>, Future: Send> + Clone + Send + 'static,
    S::Error: Into<BoxError> + 'static,
    R: Send + 'static,
{
    /// Polls the current attempt or the trial.
    ///
    /// # Errors
    ///
    /// If there is no endpoint to try, or if the trial and the other attempt have both failed.
    fn poll_trial(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Outcome<S>, BoxError>> {
        loop {
            let this = self.as_mut().project();
            if let Some(attempt) = this.attempt.as_pin_mut() {
                return attempt.poll(cx).map(Ok);
            }
            let Some(trial) = this.trial else {
                let none: BoxError = if this.endpoints.is_empty() { NoEndpoint.into() } else { AllUnreachable.into() };
                return Poll::Ready(Err(none));
            };
            match ready!(trial.poll(cx)) {
                Waited::Ended(result, lease) => {
                    (*this.lease, *this.trial) = (Some(lease), None);
                    return Poll::Ready(Ok(result));
                }
                Waited::Responded(response) => {
                    self.as_mut().return_to_trial();
                    return Poll::Ready(Ok(Ok(response)));
                }
                Waited::Failed(error) => return Poll::Ready(Err(error)),
                Waited::TakesLong => {
                    let well =
                        this.endpoints.after(this.tried).filter(|next| this.endpoints.health(*next).is_healthy());
                    match well.zip(this.copy.as_ref().and_then(RequestCopy::request)) {
                        Some((next, request)) => {
                            let record = Arc::clone(this.endpoints.record(*this.index));
                            trial.move_to_background(record, this.endpoints.classify.clone());
                            self.as_mut().try_at(next, request);
                        }
                        None => trial.wait_on(),
                    }
                }
            }
        }
    }
}

impl<S> ResponseFuture<S>
where
    S: Service<Request<RequestBody>> + Clone,
{
    /// Makes the trial the current attempt again.
    fn return_to_trial(self: Pin<&mut Self>) {
        let this = self.project();
        if let Some(trial) = this.trial {
            (*this.index, *this.began) = (trial.index, trial.began);
            if let Some(attempts) = this.attempts {
                attempts.return_to(trial.index);
            }
        }
    }

    fn try_at(self: Pin<&mut Self>, index: usize, request: Request<RequestBody>) {
        let mut this = self.project();
        *this.index = index;
        this.tried.add(index);
        *this.began = this.endpoints.begin(index, this.attempts.as_ref());
        this.attempt.set(this.endpoints.service(index).map(|service| Call::new(&mut { service }, request)));
    }
}

/// The result of an attempt.
type Outcome<S> = Result<<S as Service<Request<RequestBody>>>::Response, <S as Service<Request<RequestBody>>>::Error>;

/// Returns the request for a retry, if sending it again is safe and there is time left for a response.
fn again(failure: &mut Failure, copied: &Option<RequestCopy>) -> Option<Request<RequestBody>> {
    if failure.no_retry {
        return None;
    }
    let copy = || {
        let copied = copied.as_ref()?;
        let may_be_sent_again = failure.progress != Progress::MaybeProcessed || is_idempotent(copied.method());
        may_be_sent_again.then(|| copied.request()).flatten()
    };
    let mut request = failure.request.take().or_else(copy)?;
    if let Some(left) = failure.time_left {
        request.extensions_mut().insert(TimeLeft(left));
    }
    Some(request)
}
