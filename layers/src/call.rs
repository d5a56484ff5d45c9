//! Calls a service for a caller that has a request but no [`Context`] yet.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use pin_project_lite::pin_project;
use tower::{Service, util::Oneshot};

pin_project! {
    /// A call that starts at once if the service is ready, as the services of a proxy usually are, and otherwise as soon
    /// as it is.
    ///
    /// Unlike a [`Oneshot`], it reserves no space for the request, because the futures around it are moved often.
    pub struct Call<S: Service<R>, R> {
        #[pin]
        kind: Kind<S, R>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<S: Service<R>, R> {
        Made { #[pin] response: S::Future },
        Waiting { call: Pin<Box<Oneshot<S, R>>> },
    }
}

impl<S: Service<R>, R> Call<S, R> {
    /// Calls `service`. If it is not ready, the call takes it, and leaves a clone in its place.
    pub(crate) fn new(service: &mut S, request: R) -> Self
    where
        S: Clone,
    {
        if let Poll::Ready(Ok(())) = service.poll_ready(&mut Context::from_waker(Waker::noop())) {
            return Self { kind: Kind::Made { response: service.call(request) } };
        }
        // The call takes the original, which may already have a place in a queue. It is polled again, this time with the
        // waker of a task.
        let clone = service.clone();
        Self::when_polled(std::mem::replace(service, clone), request)
    }

    /// Calls `service` when the call is polled, and never if it is dropped before that.
    pub(crate) fn when_polled(service: S, request: R) -> Self {
        Self { kind: Kind::Waiting { call: Box::pin(Oneshot::new(service, request)) } }
    }
}

impl<S: Service<R>, R> Future for Call<S, R> {
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Made { response } => response.poll(cx),
            KindProj::Waiting { call } => call.as_mut().poll(cx),
        }
    }
}

impl<S: Service<R>, R> fmt::Debug for Call<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_service_is_called_at_once_or_when_it_is_ready() {
        let (mut service, mut backend) = tower_test::mock::pair::<u8, u8>();
        backend.allow(1);
        let first = Call::new(&mut service, 1);
        let second = Call::new(&mut service, 2);
        assert!(matches!((&first.kind, &second.kind), (Kind::Made { .. }, Kind::Waiting { .. })));
        let responses = tokio::spawn(async move { (first.await.unwrap(), second.await.unwrap()) });
        for expected in [1, 2] {
            let (request, respond) = backend.next_request().await.unwrap();
            assert_eq!(request, expected);
            respond.send_response(request);
            tokio::task::yield_now().await;
            backend.allow(1);
        }
        assert_eq!(responses.await.unwrap(), (1, 2));
    }
}
