//! Several endpoints in turn, and on to the next one when nothing of a request was sent.
//!
//! ```
//! use http_body_util::Empty;
//! use pmesh_layers::{balance::Balance, connect::SourceConnector, pool::Pool};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let connector = SourceConnector::new();
//! let pool = |endpoint: &'static str| {
//!     Pool::<_, Empty<bytes::Bytes>>::new(connector.clone(), http::Uri::from_static(endpoint))
//! };
//! let upstream = Balance::new([pool("http://127.1.0.1:8080"), pool("http://127.1.0.2:8080")]);
//! # Ok(())
//! # }
//! ```

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;
use tower::{BoxError, Service, util::Oneshot};

/// An error that may give the request back, when not a byte of it was sent.
pub trait Unsent<R> {
    /// The request, if it can be sent elsewhere without being sent twice.
    fn take_request(&mut self) -> Option<R>;
}

/// Gives requests to several services in turn.
///
/// When one gives a request back unsent, the next is tried, each at most once a request. Cloning counts a reference;
/// clones take turns together.
#[derive(Debug)]
pub struct Balance<S> {
    shared: Arc<Shared<S>>,
}

#[derive(Debug)]
struct Shared<S> {
    services: Box<[S]>,
    next: AtomicUsize,
}

impl<S> Balance<S> {
    /// Takes turns with `services`.
    pub fn new(services: impl IntoIterator<Item = S>) -> Self {
        Self { shared: Arc::new(Shared { services: services.into_iter().collect(), next: AtomicUsize::new(0) }) }
    }
}

impl<S> Clone for Balance<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<S, R> Service<R> for Balance<S>
where
    S: Service<R> + Clone,
    S::Error: Unsent<R> + Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S, R>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        let Shared { services, next } = &*self.shared;
        if services.is_empty() {
            return ResponseFuture { attempt: None, shared: Arc::clone(&self.shared), turn: 0, left: 0 };
        }
        let turn = if services.len() == 1 { 0 } else { next.fetch_add(1, Ordering::Relaxed) % services.len() };
        ResponseFuture {
            attempt: Some(Oneshot::new(services[turn].clone(), request)),
            shared: Arc::clone(&self.shared),
            turn,
            left: services.len() - 1,
        }
    }
}

pin_project! {
    /// The response future of [`Balance`].
    pub struct ResponseFuture<S: Service<R>, R> {
        #[pin]
        attempt: Option<Oneshot<S, R>>,
        shared: Arc<Shared<S>>,
        turn: usize,
        left: usize,
    }
}

impl<S, R> Future for ResponseFuture<S, R>
where
    S: Service<R> + Clone,
    S::Error: Unsent<R> + Into<BoxError>,
{
    type Output = Result<S::Response, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let Some(attempt) = this.attempt.as_mut().as_pin_mut() else { return Poll::Ready(Err(NoEndpoint.into())) };
            let mut error = match ready!(attempt.poll(cx)) {
                Ok(response) => return Poll::Ready(Ok(response)),
                Err(error) => error,
            };
            let request = if *this.left > 0 { error.take_request() } else { None };
            let Some(request) = request else { return Poll::Ready(Err(error.into())) };
            let services = &this.shared.services;
            *this.turn = (*this.turn + 1) % services.len();
            *this.left -= 1;
            this.attempt.set(Some(Oneshot::new(services[*this.turn].clone(), request)));
        }
    }
}

/// A [`Balance`] without services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no endpoint")]
pub struct NoEndpoint;

#[cfg(test)]
mod tests {
    use super::*;
    use tower::{ServiceExt, service_fn};

    #[derive(Debug, thiserror::Error)]
    #[error("failed")]
    struct Failed(Option<u32>);

    impl Unsent<u32> for Failed {
        fn take_request(&mut self) -> Option<u32> {
            self.0.take()
        }
    }

    fn endpoint(name: &'static str, fail: Option<bool>) -> tower::util::BoxCloneSyncService<u32, &'static str, Failed> {
        tower::util::BoxCloneSyncService::new(service_fn(move |request: u32| {
            std::future::ready(match fail {
                None => Ok(name),
                Some(unsent) => Err(Failed(unsent.then_some(request))),
            })
        }))
    }

    #[tokio::test]
    async fn endpoints_take_turns() {
        let balance = Balance::new([endpoint("a", None), endpoint("b", None)]);
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(balance.clone().oneshot(1).await.unwrap());
        }
        assert_eq!(seen, ["a", "b", "a", "b"]);
    }

    #[tokio::test]
    async fn only_unsent_requests_go_on() {
        let balance = Balance::new([endpoint("down", Some(true)), endpoint("up", None)]);
        for _ in 0..3 {
            assert_eq!(balance.clone().oneshot(1).await.unwrap(), "up");
        }
        let balance = Balance::new([endpoint("broke", Some(false)), endpoint("up", None)]);
        assert!(balance.clone().oneshot(1).await.is_err());
        assert!(balance.clone().oneshot(1).await.is_ok());
    }

    #[tokio::test]
    async fn all_down_is_an_error_and_so_is_none() {
        let balance = Balance::new([endpoint("a", Some(true)), endpoint("b", Some(true))]);
        assert!(balance.oneshot(1).await.unwrap_err().is::<Failed>());
        let none: [tower::util::BoxCloneSyncService<u32, &'static str, Failed>; 0] = [];
        assert!(Balance::new(none).oneshot(1).await.unwrap_err().is::<NoEndpoint>());
    }
}
