use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use http::Request;
use http_body::Body;
use pin_project_lite::pin_project;
use tower::{BoxError, Service, util::Oneshot};

use super::{Once, budget::Budget, health::Health, once::copy};

/// An error that may give the request back, when not a byte of it was sent.
pub trait Unsent<R> {
    /// The request, if it can be sent elsewhere without being sent twice.
    fn take_request(&mut self) -> Option<R>;

    /// Whether the endpoint failed, and not the client, who could otherwise have any endpoint left alone.
    fn is_endpoints_fault(&self) -> bool {
        true
    }
}

/// Gives requests to several endpoints in turn, and to the next one when one fails.
///
/// A request of which nothing was sent goes to each endpoint at most once, whatever its method. One that was sent and
/// got no response is sent again only if it is idempotent and has no body, at most twice, and as long as a budget
/// allows it: a fifth of all requests, and a few more at the start. An endpoint that has failed is left alone for a
/// second, then for two and so on up to thirty, until it responds again; when all have failed, all are tried.
///
/// Cloning counts a reference; clones take turns together.
#[derive(Debug)]
pub struct Balance<S> {
    shared: Arc<Shared<S>>,
}

#[derive(Debug)]
struct Shared<S> {
    endpoints: Box<[Endpoint<S>]>,
    next: AtomicUsize,
    budget: Budget,
}

#[derive(Debug)]
struct Endpoint<S> {
    service: S,
    health: Health,
}

impl<S> Balance<S> {
    /// Takes turns with `endpoints`.
    pub fn new(endpoints: impl IntoIterator<Item = S>) -> Self {
        let endpoints = endpoints.into_iter().map(|service| Endpoint { service, health: Health::new() }).collect();
        Self { shared: Arc::new(Shared { endpoints, next: AtomicUsize::new(0), budget: Budget::new() }) }
    }
}

impl<S> Clone for Balance<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S> Shared<S> {
    /// The endpoint whose turn it is, or the first usable one after it.
    fn turn(&self) -> usize {
        match self.endpoints.len() {
            0 | 1 => 0,
            count => {
                let turn = self.next.fetch_add(1, Ordering::Relaxed) % count;
                self.usable_from(turn).unwrap_or(turn)
            }
        }
    }

    fn after(&self, index: usize) -> usize {
        let next = (index + 1) % self.endpoints.len();
        self.usable_from(next).unwrap_or(next)
    }

    fn usable_from(&self, start: usize) -> Option<usize> {
        let count = self.endpoints.len();
        (start..start + count).map(|index| index % count).find(|index| self.endpoints[*index].health.is_usable())
    }
}

impl<S, B> Service<Request<B>> for Balance<S>
where
    S: Service<Request<Once<B>>> + Clone,
    S::Error: Unsent<Request<Once<B>>> + Into<BoxError>,
    B: Body,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, B>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request = request.map(Once::from);
        let shared = Arc::clone(&self.shared);
        shared.budget.earn();
        let index = shared.turn();
        let copy = copy(&request);
        let attempt = shared.endpoints.get(index).map(|endpoint| Oneshot::new(endpoint.service.clone(), request));
        let unsent_left = shared.endpoints.len().saturating_sub(1);
        ResponseFuture { attempt, shared, index, copy, unsent_left }
    }
}

pin_project! {
    /// The response future of [`Balance`].
    pub struct ResponseFuture<S: Service<Request<Once<B>>>, B> {
        #[pin]
        attempt: Option<Oneshot<S, Request<Once<B>>>>,
        shared: Arc<Shared<S>>,
        index: usize,
        // For a second try, if there may be one.
        copy: Option<Request<Once<B>>>,
        // How many endpoints may still be tried with the request as it was given.
        unsent_left: usize,
    }
}

impl<S, B> Future for ResponseFuture<S, B>
where
    S: Service<Request<Once<B>>> + Clone,
    S::Error: Unsent<Request<Once<B>>> + Into<BoxError>,
    B: Body,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let Some(attempt) = this.attempt.as_mut().as_pin_mut() else { return Poll::Ready(Err(NoEndpoint.into())) };
            let result = ready!(attempt.poll(cx));
            let health = &this.shared.endpoints[*this.index].health;
            let mut error = match result {
                Ok(response) => {
                    health.succeeded();
                    return Poll::Ready(Ok(response));
                }
                Err(error) => error,
            };
            if error.is_endpoints_fault() {
                health.failed();
            }
            let again = match error.take_request() {
                Some(request) if *this.unsent_left > 0 => {
                    *this.unsent_left -= 1;
                    Some(request)
                }
                Some(_) => None,
                None => this.copy.take().filter(|_| this.shared.budget.spend()),
            };
            let Some(request) = again else { return Poll::Ready(Err(error.into())) };
            *this.index = this.shared.after(*this.index);
            let service = this.shared.endpoints[*this.index].service.clone();
            this.attempt.set(Some(Oneshot::new(service, request)));
        }
    }
}

/// A [`Balance`] without endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no endpoint")]
pub struct NoEndpoint;

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http_body_util::Full;
    use tower::{ServiceExt, service_fn, util::BoxCloneSyncService};

    type Sent = Request<Once<Full<Bytes>>>;

    #[derive(Debug, thiserror::Error)]
    #[error("failed")]
    struct Failed(Option<Sent>);

    impl Unsent<Sent> for Failed {
        fn take_request(&mut self) -> Option<Sent> {
            self.0.take()
        }
    }

    #[derive(Clone, Copy)]
    enum Does {
        Respond,
        RefuseConnections,
        BreakOff,
    }

    fn endpoint(name: &'static str, does: Does) -> BoxCloneSyncService<Sent, &'static str, Failed> {
        BoxCloneSyncService::new(service_fn(move |request: Sent| {
            std::future::ready(match does {
                Does::Respond => Ok(name),
                Does::RefuseConnections => Err(Failed(Some(request))),
                Does::BreakOff => Err(Failed(None)),
            })
        }))
    }

    fn request(method: &str, body: &'static str) -> Request<Full<Bytes>> {
        Request::builder().method(method).body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap()
    }

    #[tokio::test]
    async fn endpoints_take_turns() {
        let balance = Balance::new([endpoint("a", Does::Respond), endpoint("b", Does::Respond)]);
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(balance.clone().oneshot(request("GET", "")).await.unwrap());
        }
        assert_eq!(seen, ["a", "b", "a", "b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn unsent_requests_go_on_whatever_their_method() {
        let balance = Balance::new([endpoint("down", Does::RefuseConnections), endpoint("up", Does::Respond)]);
        for _ in 0..5 {
            assert_eq!(balance.clone().oneshot(request("POST", "body")).await.unwrap(), "up");
            tokio::time::advance(std::time::Duration::from_secs(60)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn sent_requests_go_on_when_they_may_be_sent_twice() {
        for (method, body, expected) in [("GET", "", true), ("POST", "", false), ("PUT", "body", false)] {
            let balance = Balance::new([endpoint("breaks", Does::BreakOff), endpoint("up", Does::Respond)]);
            assert_eq!(balance.oneshot(request(method, body)).await.is_ok(), expected, "{method} {body}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_endpoint_is_left_alone_and_tried_when_all_have_failed() {
        let balance = Balance::new([endpoint("breaks", Does::BreakOff), endpoint("up", Does::Respond)]);
        assert!(balance.clone().oneshot(request("POST", "")).await.is_err());
        for _ in 0..3 {
            assert!(balance.clone().oneshot(request("POST", "")).await.is_ok());
        }
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        let results = [(); 2].map(|()| balance.clone().oneshot(request("POST", "")));
        let [first, second] = results;
        assert_ne!(first.await.is_ok(), second.await.is_ok());

        let alone = Balance::new([endpoint("breaks", Does::BreakOff)]);
        for _ in 0..3 {
            assert!(alone.clone().oneshot(request("POST", "")).await.unwrap_err().is::<Failed>());
        }
    }

    #[tokio::test]
    async fn all_down_is_an_error_and_so_is_none() {
        let down = || endpoint("down", Does::RefuseConnections);
        assert!(Balance::new([down(), down()]).oneshot(request("GET", "")).await.unwrap_err().is::<Failed>());
        let none: [BoxCloneSyncService<Sent, &'static str, Failed>; 0] = [];
        assert!(Balance::new(none).oneshot(request("GET", "")).await.unwrap_err().is::<NoEndpoint>());
    }
}
