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
    Attempts, BalancedBody, Failed, NoEndpoint, Once, Unsent,
    copy::RequestCopy,
    endpoints::{Endpoints, Tried},
    health::Probe,
    once::is_idempotent,
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
        probe: Option<Probe>,
        // For another try, if there may be one: of a request without a body.
        copy: Option<RequestCopy>,
        tried: Tried,
        timed_out: bool,
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
        let repeatable = copy.as_ref().is_some_and(|copy| is_idempotent(copy.method()));
        // A client that has a connection of its own somewhere is served there.
        let ties = request.extensions().get().and_then(ConnInfo::ties);
        let tied = ties.and_then(|ties| endpoints.tied(ties));
        let (index, probe) = tied.map_or_else(|| endpoints.turn(repeatable), |index| (index, None));
        let mut tried = Tried::default();
        let attempt = endpoints.service(index).map(|service| {
            tried.add(index);
            Call::new(&mut { service }, request)
        });
        if let (Some(attempts), Some(_)) = (&attempts, &attempt) {
            attempts.note(endpoints.names(), index);
        }
        Self { attempt, endpoints, index, probe, copy, tried, timed_out: false, attempts }
    }
}

impl<S, B, R> Future for ResponseFuture<S, B>
where
    S: Service<Request<Once<B>>, Response = Response<R>> + Clone,
    S::Error: Unsent<Request<Once<B>>> + Into<BoxError>,
    B: Body,
{
    type Output = Result<Response<BalancedBody<R>>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let Some(attempt) = this.attempt.as_mut().as_pin_mut() else { return Poll::Ready(Err(NoEndpoint.into())) };
            let result = ready!(attempt.poll(cx));
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
            if error.is_endpoints_fault() {
                health.failed(this.probe.as_ref());
            }
            *this.probe = None;
            let next = match error.take_request() {
                Some(request) => this.endpoints.after(this.tried).map(|next| (next, request)),
                None => resend(&error, this.copy, this.timed_out).and_then(|request| {
                    let next = match this.endpoints.after(this.tried) {
                        Some(next) => next,
                        // It may have been the end of a connection that had been idle.
                        None if this.endpoints.is_one() && this.tried.count() == 1 && !error.is_timeout() => 0,
                        None => return None,
                    };
                    let free = this.endpoints.health(next).is_well() || error.is_unprocessed();
                    (free || this.endpoints.budget().spend()).then_some((next, request))
                }),
            };
            let Some((next, request)) = next else {
                let name = &this.endpoints.names()[*this.index];
                return Poll::Ready(Err(Failed::new(name, this.tried.count(), error.into()).into()));
            };
            *this.index = next;
            this.tried.add(next);
            if let Some(attempts) = this.attempts {
                attempts.note(this.endpoints.names(), next);
            }
            this.attempt.set(this.endpoints.service(next).map(|service| Call::new(&mut { service }, request)));
        }
    }
}

/// The request to be sent again, if that cannot have an effect twice, and if the client has not waited too often.
fn resend<B: Body>(
    error: &impl Unsent<Request<Once<B>>>,
    copied: &Option<RequestCopy>,
    timed_out: &mut bool,
) -> Option<Request<Once<B>>> {
    let copied = copied.as_ref()?;
    if error.has_responded() || (!error.is_unprocessed() && !is_idempotent(copied.method())) {
        return None;
    }
    if error.is_timeout() && std::mem::replace(timed_out, true) {
        return None;
    }
    copied.request()
}
