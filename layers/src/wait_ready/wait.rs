//! What happens to a request that has to wait.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use http::{Request, Response};
use tokio::time::{Instant, sleep_until, timeout_at};
use tower::{BoxError, Service, ServiceExt};

use super::{
    NotReady, Readiness,
    readiness::{Place, any_ready},
};
use crate::{
    balance::{AllDrained, EndpointError},
    body::RequestBody,
};

/// How long a request waits before it is sent again to a service that [`Readiness`] calls ready. Doubled each time.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const MAX_PAUSE: Duration = Duration::from_millis(320);
/// How often a request is sent again after its endpoint has failed: one that was not sent, and one that was.
const MAX_UNSENT: u32 = 5;
const MAX_SENT: u32 = 2;

/// A request that waits.
pub(super) type Waiting<R> = Pin<Box<dyn Future<Output = Result<Response<R>, BoxError>> + Send>>;

/// How requests wait.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    pub(super) readiness: Box<[Readiness]>,
    pub(super) timeout: Duration,
    pub(super) max_waiting: usize,
    /// Whether the inner service can also send requests elsewhere.
    pub(super) has_others: bool,
}

/// Sends requests that had to wait.
#[derive(Debug)]
pub(super) struct Again<S> {
    pub(super) inner: S,
    pub(super) rules: Rules,
}

/// A request that was not answered and can be sent again.
pub(super) struct Returned {
    request: Request<RequestBody>,
    /// The error of the endpoint that failed, if the request got to one.
    failed: Option<BoxError>,
    /// Whether none of the request was sent.
    is_unsent: bool,
}

impl Returned {
    pub(super) fn unsent(request: Request<RequestBody>) -> Self {
        Self { request, failed: None, is_unsent: true }
    }

    /// Takes the request from the error of a balance.
    ///
    /// # Errors
    ///
    /// The error itself, if it does not hold the request.
    #[cold]
    pub(super) fn from_error(mut error: BoxError) -> Result<Self, BoxError> {
        if let Some(request) = error.downcast_mut().and_then(AllDrained::take_request) {
            return Ok(Self::unsent(request));
        }
        match error.downcast_mut().and_then(EndpointError::take_request) {
            Some((request, is_unsent)) => Ok(Self { request, failed: Some(error), is_unsent }),
            None => Err(error),
        }
    }
}

impl<S, R> Again<S>
where
    S: Service<Request<RequestBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    R: 'static,
{
    /// Sends a request once the service is ready.
    #[cold]
    pub(super) fn wait(this: Arc<Self>, returned: Returned) -> Waiting<R> {
        Box::pin(async move { this.sent(returned).await })
    }

    async fn sent(&self, mut returned: Returned) -> Result<Response<R>, BoxError> {
        let Rules { readiness, timeout, .. } = &self.rules;
        let deadline = Instant::now() + *timeout;
        let (mut pause, mut unsent, mut sent) = (FIRST_PAUSE, 0, 0);
        loop {
            if returned.failed.is_some() {
                let (count, max) = if returned.is_unsent { (&mut unsent, MAX_UNSENT) } else { (&mut sent, MAX_SENT) };
                *count += 1;
                if *count > max {
                    return Err(self.error(returned));
                }
            }
            let Some(places) = self.enter() else { return Err(NotReady::TooManyWaiting.into()) };
            // `Readiness` calls the service ready, but it has just returned the request: its last endpoint is going away.
            if readiness.iter().any(Readiness::is_ready) {
                sleep_until(deadline.min(Instant::now() + pause)).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
            match timeout_at(deadline, any_ready(readiness)).await {
                Ok(true) if Instant::now() < deadline => {}
                Ok(false) => return Err(returned.failed.unwrap_or_else(|| NotReady::Stopped.into())),
                Ok(true) | Err(_) => return Err(self.error(returned)),
            }
            drop(places);
            match self.inner.clone().oneshot(returned.request).await {
                Ok(response) => return Ok(response),
                Err(error) => returned = Returned::from_error(error.into())?,
            }
        }
    }

    /// The error of a request that is not sent again.
    fn error(&self, returned: Returned) -> BoxError {
        returned.failed.unwrap_or_else(|| NotReady::TimedOut(self.rules.timeout).into())
    }

    /// Counts a request as waiting for all of the services.
    fn enter(&self) -> Option<Vec<Place>> {
        let Rules { readiness, max_waiting, .. } = &self.rules;
        let places = readiness.iter().map(|readiness| readiness.enter(*max_waiting)).collect::<Option<_>>()?;
        readiness.iter().for_each(Readiness::want);
        Some(places)
    }
}
