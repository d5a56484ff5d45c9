//! The table that turns an error into a status.

use std::{
    error::Error,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode, Version,
    header::{ALLOW, CONNECTION, CONTENT_TYPE},
};
use http_body::Body;
use pin_project_lite::pin_project;
use pmesh_layers::{
    balance::{AllUnreachable, Failed},
    body::ResponseBody,
    body_limit::BodyTooLong,
    framing::Unacceptable,
    host::HostName,
    pool::PoolError,
    response_timeout::TimedOut,
    route::NoRoute,
    sni::Misdirected,
    upgrade::NotSwitched,
    via::LoopDetected,
};
use tower::{BoxError, Layer, Service};
use tower_http::request_id::RequestId;

use crate::{mesh::Circle, telemetry::causes::with_causes};

/// The status for an error of a layer inside of the gate.
fn status(error: &BoxError) -> StatusCode {
    if let Some(unacceptable) = error.downcast_ref::<Unacceptable>() {
        match unacceptable {
            Unacceptable::Method => StatusCode::METHOD_NOT_ALLOWED,
            _ => StatusCode::BAD_REQUEST,
        }
    } else if let Some(not_switched) = error.downcast_ref::<NotSwitched>() {
        match not_switched {
            NotSwitched::Protocol => StatusCode::BAD_REQUEST,
            NotSwitched::Unsupported | NotSwitched::Ignored => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_GATEWAY,
        }
    } else if error.is::<Misdirected>() {
        StatusCode::MISDIRECTED_REQUEST
    } else if let Some(no_route) = error.downcast_ref::<NoRoute>() {
        match no_route {
            NoRoute::Ambiguous => StatusCode::BAD_REQUEST,
            _ => StatusCode::NOT_FOUND,
        }
    } else if error.is::<LoopDetected>() || error.is::<Circle>() {
        StatusCode::LOOP_DETECTED
    } else if let Some(timed_out) = error.downcast_ref::<TimedOut>() {
        match timed_out {
            TimedOut::Backend => StatusCode::GATEWAY_TIMEOUT,
            TimedOut::Client => StatusCode::REQUEST_TIMEOUT,
        }
    } else if error.is::<AllUnreachable>() {
        StatusCode::SERVICE_UNAVAILABLE
    } else if is_too_long(error) {
        StatusCode::PAYLOAD_TOO_LARGE
    } else if pool_error(error).is_some_and(PoolError::is_connect_timeout) {
        StatusCode::GATEWAY_TIMEOUT
    } else if pool_error(error).is_some_and(PoolError::is_out_of_resources) {
        StatusCode::SERVICE_UNAVAILABLE
    } else if pool_error(error).is_some_and(PoolError::is_client_failure) {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::BAD_GATEWAY
    }
}

fn pool_error(error: &BoxError) -> Option<&PoolError> {
    error.downcast_ref()
}

/// Found out before the request was sent, or while it was.
fn is_too_long(error: &BoxError) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(&**error);
    while let Some(error) = cause {
        if error.is::<BodyTooLong>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Answers errors by the table. Stands inside of the gate: errors of the layers outside of it are silence.
#[derive(Debug, Clone, Copy)]
pub struct RespondLayer;

impl<S> Layer<S> for RespondLayer {
    type Service = Respond<S>;

    fn layer(&self, inner: S) -> Respond<S> {
        Respond { inner }
    }
}

/// The service of [`RespondLayer`].
#[derive(Debug, Clone)]
pub struct Respond<S> {
    inner: S,
}

impl<S, B, R> Service<Request<B>> for Respond<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = BoxError>,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let asked = Asked {
            http1: request.version() < Version::HTTP_2,
            host: request.extensions().get().cloned(),
            id: request.extensions().get().cloned(),
        };
        ResponseFuture { response: self.inner.call(request), asked }
    }
}

pin_project! {
    /// The response future of [`Respond`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        response: F,
        asked: Asked,
    }
}

/// What an answer of our own, and its line in the log, need to know of the request: two references are counted.
#[derive(Debug, Default)]
struct Asked {
    http1: bool,
    host: Option<HostName>,
    id: Option<RequestId>,
}

impl<F, R> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, BoxError>>,
    R: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Output = Result<Response<ResponseBody>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        Poll::Ready(Ok(match ready!(this.response.poll(cx)) {
            Ok(response) => response.map(ResponseBody::new),
            Err(error) => answer(&error, this.asked),
        }))
    }
}

/// A line on a request without a response from its upstream, at this level.
macro_rules! unanswered {
    ($level:ident, $status:expr, $asked:expr, $failed:expr, $error:expr) => {
        tracing::event!(
            tracing::Level::$level,
            status = $status.as_u16(),
            id = $asked.id.as_ref().and_then(|id| id.header_value().to_str().ok()).unwrap_or("-"),
            host = $asked.host.as_ref().map_or("-", HostName::as_str),
            upstream = $failed.map_or("-", Failed::endpoint),
            attempts = $failed.map(Failed::attempts).filter(|attempts| *attempts > 1),
            error = %with_causes($error.as_ref()),
            "no response from the upstream"
        )
    };
}

fn answer(error: &BoxError, asked: &Asked) -> Response<ResponseBody> {
    let failed = error.downcast_ref::<Failed>();
    let error = failed.map_or(error, Failed::cause);
    let status = status(error);
    let is_known = failed.is_some_and(Failed::is_endpoint_failure) || error.is::<AllUnreachable>();
    // A client may ask for any protocol: 501 is no news. Nor is an endpoint that is known to fail, which has lines of its
    // own.
    if !status.is_server_error() || status == StatusCode::NOT_IMPLEMENTED {
        tracing::debug!(status = status.as_u16(), %error, "request refused");
    } else if is_known {
        unanswered!(DEBUG, status, asked, failed, error);
    } else {
        unanswered!(WARN, status, asked, failed, error);
    }
    let mut response = plain(status);
    let headers = response.headers_mut();
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"));
    }
    // After a request with two readings nobody can say where the next one begins (RFC 9112, 6.3 and 11.2).
    // After one that is too long or too slow nobody wants to read the rest. What follows a CONNECT may be what somebody
    // wanted to have tunnelled: no request either.
    let ends = [
        StatusCode::BAD_REQUEST,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::METHOD_NOT_ALLOWED,
    ];
    if asked.http1 && ends.contains(&status) {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A response that says its status and no more.
pub fn plain(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::from(format!("{status}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_has_its_status() {
        let table: [(BoxError, u16); 15] = [
            (Unacceptable::Length.into(), 400),
            (Unacceptable::Target.into(), 400),
            (Unacceptable::Method.into(), 405),
            (NotSwitched::Protocol.into(), 400),
            (NotSwitched::Ignored.into(), 501),
            (NotSwitched::Proof.into(), 502),
            (NoRoute::NotFound.into(), 404),
            (NoRoute::Ambiguous.into(), 400),
            (Misdirected.into(), 421),
            (LoopDetected.into(), 508),
            (BodyTooLong.into(), 413),
            (TimedOut::Backend.into(), 504),
            (TimedOut::Client.into(), 408),
            (AllUnreachable.into(), 503),
            ("anything else".into(), 502),
        ];
        for (error, expected) in table {
            assert_eq!(status(&error).as_u16(), expected, "{error}");
        }
    }

    #[test]
    fn ambiguous_requests_end_the_connection() {
        let http1 = Asked { http1: true, ..Asked::default() };
        for unacceptable in [Unacceptable::Length, Unacceptable::Method] {
            assert_eq!(answer(&unacceptable.into(), &http1).headers()[CONNECTION], "close");
        }
        assert!(!answer(&Unacceptable::Length.into(), &Asked::default()).headers().contains_key(CONNECTION));
        assert!(!answer(&NoRoute::NotFound.into(), &http1).headers().contains_key(CONNECTION));
    }
}
