use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower::{BoxError, Service};

use super::{
    AllUnreachable, Attempts, BalancedBody, Failed, NoEndpoint, Once, TimeLeft, Unreachable, Unsent,
    budget::{SENT, UNSENT},
    copy::RequestCopy,
    endpoints::{Endpoints, Tried, Turn},
    health::Lease,
    once::is_idempotent,
    share::SHARES,
    trial::{Foreground, Trial},
};
use crate::{
    call::Call,
    conn::{ConnInfo, TiedTo},
};

pin_project! {
    /// The response future of [`Balance`](super::Balance).
    pub struct ResponseFuture<S: Service<Request<Once<B>>>, B> {
        #[pin]
        attempt: Option<Call<S, Request<Once<B>>>>,
        endpoints: Arc<Endpoints<S>>,
        index: usize,
        // Set if the attempt finds out whether its endpoint is well again.
        lease: Option<Lease>,
        // The attempt at an endpoint that has failed, if the request can go elsewhere. Boxed, because it is rare.
        trial: Option<Box<Trial<S, B>>>,
        // For another try, if there may be one: of a request without a body.
        copy: Option<RequestCopy>,
        tried: Tried,
        // Endpoints whose connection timed out.
        black_holes: u32,
        attempts: Option<Attempts>,
    }
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<Once<B>>> + Clone,
    B: Body,
{
    pub(super) fn new(endpoints: Arc<Endpoints<S>>, request: Request<Once<B>>) -> Self {
        let copy = RequestCopy::of(&request);
        let attempts = request.extensions().get::<Attempts>().cloned();
        // A trial goes on beside the next attempt and may end after it: a late DELETE could undo what came in between.
        let repeatable = copy.as_ref().is_some_and(|copy| copy.method().is_safe());
        // A client stays with the endpoint to which it has its own connection.
        let ties = request.extensions().get().and_then(ConnInfo::ties);
        let tied = ties.and_then(|ties| endpoints.tied(ties)).map(Turn::Of);
        let (index, mut lease) = match tied.unwrap_or_else(|| endpoints.turn(repeatable)) {
            Turn::Of(index) => (Some(index), None),
            Turn::OnTrial(index, lease) => (Some(index), Some(lease)),
            Turn::OfNone => (None, None),
        };
        let mut tried = Tried::default();
        let index_and_service = index.and_then(|index| Some((index, endpoints.service(index)?)));
        let mut attempt = index_and_service.map(|(index, service)| {
            tried.add(index);
            if let Some(attempts) = &attempts {
                attempts.note(endpoints.names(), index);
            }
            Call::new(&mut { service }, request)
        });
        let mut trial = None;
        if repeatable && let Some(lease) = lease.take() {
            trial = attempt.take().map(|call| Box::new(Trial::new(call, lease)));
        }
        let index = index.unwrap_or(0);
        Self { attempt, endpoints, index, lease, trial, copy, tried, black_holes: 0, attempts }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<Once<B>>, Response = Response<R>> + Clone,
    S::Error: Unsent<Request<Once<B>>> + Into<BoxError>,
    B: Body,
{
    type Output = Result<Response<BalancedBody<R>>, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            let result = ready!(self.as_mut().poll_attempt(cx))?;
            let this = self.as_mut().project();
            let health = this.endpoints.health(*this.index);
            let mut error = match result {
                Ok(mut response) => {
                    health.succeeded();
                    if let Some(TiedTo(client)) = response.extensions_mut().remove() {
                        client.ties_or_new().note_endpoint(&this.endpoints.names()[*this.index]);
                    }
                    // With a body in flight it may have been the client who broke off.
                    let watched = this.copy.is_some().then(|| Arc::clone(health));
                    return Poll::Ready(Ok(response.map(|body| BalancedBody::new(body, watched))));
                }
                Err(error) => error,
            };
            let unreachable = error.unreachable();
            *this.black_holes += u32::from(unreachable.as_ref().is_some_and(Unreachable::is_timeout));
            let lease = this.lease.take();
            if error.is_endpoints_fault() {
                health.failed(lease.as_ref(), unreachable);
            }
            drop(lease);
            let next = match error.take_request() {
                Some(_) if *this.black_holes >= SHARES => None,
                Some(request) => this.endpoints.after(this.tried).map(|next| (next, UNSENT, request)),
                None => resend(&error, this.copy).and_then(|request| {
                    let cost = if error.is_unprocessed() { UNSENT } else { SENT };
                    // It may have been the end of a connection that had been idle.
                    let same = this.endpoints.is_one() && this.tried.count() == 1;
                    let next = this.endpoints.after(this.tried).or(same.then_some(0));
                    next.map(|next| (next, cost, request))
                }),
            };
            let is_free = |next: usize| this.endpoints.health(next).is_well();
            match next.filter(|(next, cost, _)| is_free(*next) || this.endpoints.budget().spend(*cost)) {
                Some((next, _, request)) => self.as_mut().try_at(next, request),
                None => {
                    let name = &this.endpoints.names()[*this.index];
                    return Poll::Ready(Err(Failed::new(name, this.tried.count(), error.into()).into()));
                }
            }
        }
    }
}

impl<S, B> ResponseFuture<S, B>
where
    S: Service<Request<Once<B>>> + Clone,
    S::Error: Unsent<Request<Once<B>>>,
    B: Body,
{
    /// Polls the current attempt; an error if there is no endpoint to try.
    fn poll_attempt(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Outcome<S, B>, BoxError>> {
        loop {
            let this = self.as_mut().project();
            if let Some(trial) = this.trial {
                trial.poll_background(cx);
            }
            if let Some(attempt) = this.attempt.as_pin_mut() {
                return attempt.poll(cx).map(Ok);
            }
            let Some(trial) = this.trial else {
                let none: BoxError = if this.endpoints.is_empty() { NoEndpoint.into() } else { AllUnreachable.into() };
                return Poll::Ready(Err(none));
            };
            match ready!(trial.poll_foreground(cx)) {
                Foreground::Ended(result, lease) => {
                    (*this.lease, *this.trial) = (lease, None);
                    return Poll::Ready(Ok(result));
                }
                Foreground::TakesLong => {
                    let well = this.endpoints.after(this.tried).filter(|next| this.endpoints.health(*next).is_well());
                    match well.zip(this.copy.as_ref().and_then(RequestCopy::request)) {
                        Some((next, request)) => {
                            trial.move_to_background();
                            self.as_mut().try_at(next, request);
                        }
                        None => trial.wait_on(),
                    }
                }
            }
        }
    }

    fn try_at(self: Pin<&mut Self>, index: usize, request: Request<Once<B>>) {
        let mut this = self.project();
        *this.index = index;
        this.tried.add(index);
        if let Some(attempts) = this.attempts {
            attempts.note(this.endpoints.names(), index);
        }
        this.attempt.set(this.endpoints.service(index).map(|service| Call::new(&mut { service }, request)));
    }
}

/// The result of an attempt.
type Outcome<S, B> = Result<<S as Service<Request<Once<B>>>>::Response, <S as Service<Request<Once<B>>>>::Error>;

/// The request to send again, if that cannot take effect twice and there is time left for a response.
fn resend<B: Body>(error: &impl Unsent<Request<Once<B>>>, copied: &Option<RequestCopy>) -> Option<Request<Once<B>>> {
    let copied = copied.as_ref()?;
    let may_be_sent_again = error.is_unprocessed() || is_idempotent(copied.method());
    if !may_be_sent_again || error.has_responded() || error.is_timeout() {
        return None;
    }
    let mut request = copied.request()?;
    if let Some(left) = error.time_left() {
        request.extensions_mut().insert(TimeLeft(left));
    }
    Some(request)
}
