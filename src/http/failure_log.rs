//! Log lines for requests that were rejected or got no response from their upstream.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response, StatusCode};
use pin_project_lite::pin_project;
use pmesh_layers::{
    balance::{AllUnreachable, EndpointError},
    files::FilesError,
    host::HostName,
    jwt::JwtRejected,
    max_in_flight::TooManyInFlight,
    respond::Cause,
    wait_ready::NotReady,
};
use tower::{Layer, Service};
use tower_http::request_id::RequestId;

use crate::{middleware::LoginRejected, telemetry::causes::with_causes};

/// Logs the errors that a [`RespondLayer`](pmesh_layers::respond::RespondLayer) further in has turned into responses.
#[derive(Debug, Clone, Copy)]
pub struct FailureLogLayer;

impl<S> Layer<S> for FailureLogLayer {
    type Service = FailureLog<S>;

    fn layer(&self, inner: S) -> FailureLog<S> {
        FailureLog { inner }
    }
}

/// The service of [`FailureLogLayer`].
#[derive(Debug, Clone)]
pub struct FailureLog<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for FailureLog<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let info = RequestInfo { host: request.extensions().get().cloned(), id: request.extensions().get().cloned() };
        ResponseFuture { response: self.inner.call(request), info }
    }
}

pin_project! {
    /// The response future of [`FailureLog`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        response: F,
        info: RequestInfo,
    }
}

/// The parts of the request that appear in a log line. Keeping them costs two reference counts.
#[derive(Debug)]
struct RequestInfo {
    host: Option<HostName>,
    id: Option<RequestId>,
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.response.poll(cx));
        if let Ok(response) = &response
            && (response.status().is_client_error() || response.status().is_server_error())
            && let Some(cause) = response.extensions().get::<Cause>()
        {
            log(response.status(), cause.error(), this.info);
        }
        Poll::Ready(response)
    }
}

/// Logs a request without a response from its upstream, at this level.
macro_rules! unanswered {
    ($level:ident, $status:expr, $info:expr, $failed:expr, $error:expr) => {
        tracing::event!(
            tracing::Level::$level,
            status = $status.as_u16(),
            id = $info.id.as_ref().and_then(|id| id.header_value().to_str().ok()).unwrap_or("-"),
            host = $info.host.as_ref().map_or("-", HostName::as_str),
            upstream = $failed.map_or("-", EndpointError::endpoint),
            attempts = $failed.map(EndpointError::attempts).filter(|attempts| *attempts > 1),
            error = %with_causes($error),
            "no response from the upstream"
        )
    };
}

fn log(status: StatusCode, error: &(dyn Error + Send + Sync + 'static), info: &RequestInfo) {
    let failed = error.downcast_ref::<EndpointError>();
    let error = failed.map_or(error, |failed| &**failed.cause());
    let is_down = error.is::<AllUnreachable>() || error.is::<NotReady>();
    let is_known = failed.is_some_and(EndpointError::is_endpoint_failure) || is_down;
    // No warning for 501, because a client can request any protocol, nor for a limit, which often rejects many of them,
    // nor for an endpoint, a service or keys that are known to be failing, which have their own log lines.
    let is_limit = error.is::<TooManyInFlight>() || error.is::<LoginRejected>();
    if !status.is_server_error() || status == StatusCode::NOT_IMPLEMENTED || is_limit || error.is::<JwtRejected>() {
        tracing::debug!(status = status.as_u16(), %error, "request rejected");
    } else if error.is::<FilesError>() {
        tracing::warn!(
            status = status.as_u16(),
            id = info.id.as_ref().and_then(|id| id.header_value().to_str().ok()).unwrap_or("-"),
            host = info.host.as_ref().map_or("-", HostName::as_str),
            error = %with_causes(error),
            "a file cannot be sent"
        );
    } else if is_known {
        unanswered!(DEBUG, status, info, failed, error);
    } else {
        unanswered!(WARN, status, info, failed, error);
    }
}
