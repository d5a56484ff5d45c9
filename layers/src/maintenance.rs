//! Answers every request with a fixed response, such as a 503, while a switch is on.
//!
//! ```
//! use http::{Request, Response, StatusCode};
//! use pmesh_layers::{fixed_response::FixedResponse, maintenance::{MaintenanceLayer, MaintenanceSwitch}};
//! use tower::{ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let switch = MaintenanceSwitch::new();
//! let service = ServiceBuilder::new()
//!     .layer(MaintenanceLayer::new(switch.clone()))
//!     .service_fn(async |_: Request<()>| Ok::<_, std::io::Error>(Response::new(axum::body::Body::empty())));
//! assert_eq!(service.clone().oneshot(Request::new(())).await?.status(), 200);
//!
//! // From anywhere, for example a thread that watches a file:
//! switch.on(FixedResponse::new(StatusCode::SERVICE_UNAVAILABLE)?.body("back soon"));
//! let response = service.clone().oneshot(Request::new(())).await?;
//! assert_eq!(response.status(), 503);
//! assert_eq!(response.headers()["retry-after"], "120");
//!
//! switch.off();
//! assert_eq!(service.oneshot(Request::new(())).await?.status(), 200);
//! # Ok(())
//! # }
//! ```

use std::{
    fmt,
    future::{Ready, ready},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::Either;
use http::{HeaderValue, Method, Request, Response, header::RETRY_AFTER};
use tower::{Layer, Service};

use crate::fixed_response::FixedResponse;

/// A switch for [`MaintenanceLayer`]. It is off at first. Clones are the same switch.
pub struct MaintenanceSwitch<R>(Arc<State<R>>);

struct State<R> {
    /// While this is false, requests take no lock.
    is_on: AtomicBool,
    response: RwLock<Option<FixedResponse<R>>>,
}

impl<R> MaintenanceSwitch<R> {
    /// Creates a switch that is off.
    pub fn new() -> Self {
        Self(Arc::new(State { is_on: AtomicBool::new(false), response: RwLock::new(None) }))
    }

    /// Turns it on: requests get this response. If it is already on, replaces the response.
    pub fn on(&self, response: FixedResponse<R>) {
        *self.0.response.write().unwrap_or_else(PoisonError::into_inner) = Some(response);
        self.0.is_on.store(true, Ordering::Release);
    }

    /// Turns it off: requests get through.
    pub fn off(&self) {
        self.0.is_on.store(false, Ordering::Release);
        *self.0.response.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether it is on.
    pub fn is_on(&self) -> bool {
        self.0.is_on.load(Ordering::Acquire)
    }

    fn response(&self, method: &Method) -> Option<Response<R>>
    where
        R: From<Bytes>,
    {
        if !self.is_on() {
            return None;
        }
        let response = self.0.response.read().unwrap_or_else(PoisonError::into_inner);
        response.as_ref().map(|response| response.response(method))
    }
}

impl<R> Default for MaintenanceSwitch<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> Clone for MaintenanceSwitch<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> fmt::Debug for MaintenanceSwitch<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MaintenanceSwitch").field("is_on", &self.is_on()).finish_non_exhaustive()
    }
}

/// A layer that answers requests itself while its [`MaintenanceSwitch`] is on.
///
/// Its responses have `Retry-After`: two minutes, unless [set](Self::retry_after). Requests that have got through are not
/// interrupted.
pub struct MaintenanceLayer<R> {
    switch: MaintenanceSwitch<R>,
    retry_after: Duration,
}

impl<R> MaintenanceLayer<R> {
    /// Creates a layer with this switch.
    pub fn new(switch: MaintenanceSwitch<R>) -> Self {
        Self { switch, retry_after: Duration::from_secs(120) }
    }

    /// Sets how long clients should wait before they try again. This is rounded down to seconds.
    #[must_use]
    pub fn retry_after(self, retry_after: Duration) -> Self {
        Self { retry_after, ..self }
    }
}

impl<R> Clone for MaintenanceLayer<R> {
    fn clone(&self) -> Self {
        Self { switch: self.switch.clone(), retry_after: self.retry_after }
    }
}

impl<R> fmt::Debug for MaintenanceLayer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { switch, retry_after } = self;
        f.debug_struct("MaintenanceLayer").field("switch", switch).field("retry_after", retry_after).finish()
    }
}

impl<S, R> Layer<S> for MaintenanceLayer<R> {
    type Service = Maintenance<S, R>;

    fn layer(&self, inner: S) -> Self::Service {
        Maintenance { inner, switch: self.switch.clone(), retry_after: self.retry_after.as_secs().into() }
    }
}

/// The service of [`MaintenanceLayer`].
pub struct Maintenance<S, R> {
    inner: S,
    switch: MaintenanceSwitch<R>,
    retry_after: HeaderValue,
}

impl<S, R> Maintenance<S, R> {
    inner_accessors!();
}

impl<S: Clone, R> Clone for Maintenance<S, R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), switch: self.switch.clone(), retry_after: self.retry_after.clone() }
    }
}

impl<S: fmt::Debug, R> fmt::Debug for Maintenance<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Maintenance").field("inner", &self.inner).field("switch", &self.switch).finish_non_exhaustive()
    }
}

impl<S, B, R> Service<Request<B>> for Maintenance<S, R>
where
    S: Service<Request<B>, Response = Response<R>>,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Either<Ready<Result<Response<R>, S::Error>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(mut response) = self.switch.response(request.method()) else {
            return Either::Right(self.inner.call(request));
        };
        response.headers_mut().insert(RETRY_AFTER, self.retry_after.clone());
        Either::Left(ready(Ok(response)))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{StatusCode, header::CONTENT_LENGTH};
    use tower::{ServiceBuilder, ServiceExt};

    use super::*;

    #[tokio::test]
    async fn the_latest_response_is_sent_while_the_switch_is_on() {
        let switch = MaintenanceSwitch::new();
        let layer = MaintenanceLayer::new(switch.clone()).retry_after(Duration::from_millis(30_999));
        let service = ServiceBuilder::new()
            .layer(layer)
            .service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(Bytes::from("open"))));
        let answer = async |method: Method| {
            let Ok(response) = service.clone().oneshot(Request::builder().method(method).body(()).unwrap()).await;
            response
        };
        let closed = |body: &'static str| FixedResponse::new(StatusCode::SERVICE_UNAVAILABLE).unwrap().body(body);
        assert_eq!(answer(Method::GET).await.body(), "open");
        for body in ["closed", "still closed"] {
            switch.on(closed(body));
            let response = answer(Method::GET).await;
            assert_eq!((response.status().as_u16(), &response.body()[..]), (503, body.as_bytes()));
            assert_eq!(response.headers()[RETRY_AFTER], "30");
            let response = answer(Method::HEAD).await;
            assert_eq!((response.status().as_u16(), &response.body()[..]), (503, &b""[..]));
            assert_eq!(response.headers()[CONTENT_LENGTH], body.len().to_string());
        }
        switch.off();
        let response = answer(Method::GET).await;
        assert_eq!(response.body(), "open");
        assert!(!response.headers().contains_key(RETRY_AFTER));
    }
}
