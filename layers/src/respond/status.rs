use std::{error::Error, time::Duration};

use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};

use super::NoResponse;
#[cfg(feature = "files")]
use crate::files::FilesError;
#[cfg(feature = "jwt")]
use crate::jwt::JwtRejected;
#[cfg(feature = "rate-limit")]
use crate::rate_limit::RateLimited;
#[cfg(feature = "upgrade")]
use crate::upgrade::{MissingUpgrade, NotSwitched};
use crate::{
    MissingExtension,
    balance::{AllDrained, AllUnreachable, EndpointError},
    body::RequestBodyError,
    body_limit::BodyTooLong,
    causes::find,
    cdn_loop::LoopDetected,
    client_filter::ClientDenied,
    edit_path::PathRejected,
    framing::InvalidRequest,
    host::HostRejected,
    max_in_flight::TooManyInFlight,
    response_timeout::TimedOut,
    route::NoRoute,
    sni::Misdirected,
    wait_ready::NotReady,
};
#[cfg(feature = "client")]
use crate::{connect::ConnectError, pool::PoolError};

/// Returns the status for an error, according to the [table](super#the-table).
pub fn status(error: &(dyn Error + 'static)) -> StatusCode {
    if let Some(failed) = error.downcast_ref::<EndpointError>() {
        return status(&**failed.cause());
    }
    if let Some(rejected) = error.downcast_ref::<HostRejected>() {
        return if rejected.is_malformed() { StatusCode::BAD_REQUEST } else { StatusCode::MISDIRECTED_REQUEST };
    }
    if let Some(unacceptable) = error.downcast_ref() {
        return match unacceptable {
            InvalidRequest::Method => StatusCode::METHOD_NOT_ALLOWED,
            _ => StatusCode::BAD_REQUEST,
        };
    }
    #[cfg(feature = "upgrade")]
    if let Some(not_switched) = error.downcast_ref() {
        return match not_switched {
            NotSwitched::Protocol => StatusCode::BAD_REQUEST,
            NotSwitched::Unsupported | NotSwitched::Ignored => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::BAD_GATEWAY,
        };
    }
    #[cfg(feature = "upgrade")]
    if error.is::<MissingUpgrade>() {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    if let Some(no_route) = error.downcast_ref() {
        return match no_route {
            NoRoute::Ambiguous => StatusCode::BAD_REQUEST,
            NoRoute::NotFound => StatusCode::NOT_FOUND,
            NoRoute::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
        };
    }
    if error.is::<PathRejected>() {
        return StatusCode::BAD_REQUEST;
    }
    #[cfg(feature = "files")]
    if let Some(no_file) = error.downcast_ref() {
        return match no_file {
            FilesError::NotFound => StatusCode::NOT_FOUND,
            FilesError::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            FilesError::Denied => StatusCode::FORBIDDEN,
            error if error.is_out_of_resources() => StatusCode::SERVICE_UNAVAILABLE,
            FilesError::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
    }
    if let Some(timed_out) = error.downcast_ref() {
        return match timed_out {
            TimedOut::Backend => StatusCode::GATEWAY_TIMEOUT,
            TimedOut::Client => StatusCode::REQUEST_TIMEOUT,
        };
    }
    if error.is::<Misdirected>() {
        return StatusCode::MISDIRECTED_REQUEST;
    }
    if error.is::<LoopDetected>() {
        return StatusCode::LOOP_DETECTED;
    }
    if error.is::<AllUnreachable>()
        || error.is::<AllDrained>()
        || error.is::<NotReady>()
        || error.is::<TooManyInFlight>()
    {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    if error.is::<ClientDenied>() || error.is::<NoResponse>() {
        return StatusCode::FORBIDDEN;
    }
    #[cfg(feature = "rate-limit")]
    if error.is::<RateLimited>() {
        return StatusCode::TOO_MANY_REQUESTS;
    }
    #[cfg(feature = "jwt")]
    if let Some(rejected) = error.downcast_ref::<JwtRejected>() {
        return rejected.status();
    }
    if error.is::<MissingExtension>() {
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    // The limit can be exceeded before or while the request is sent.
    if find::<BodyTooLong>(error).is_some() {
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    #[cfg(feature = "client")]
    if let Some(error) = error.downcast_ref::<PoolError>() {
        return match error {
            error if error.is_connect_timeout() => StatusCode::GATEWAY_TIMEOUT,
            error if error.is_out_of_resources() => StatusCode::SERVICE_UNAVAILABLE,
            error if error.is_client_failure() => StatusCode::BAD_REQUEST,
            _ => StatusCode::BAD_GATEWAY,
        };
    }
    // Clients other than the pools wrap it in their own errors.
    if find::<RequestBodyError>(error).is_some() {
        return StatusCode::BAD_REQUEST;
    }
    #[cfg(feature = "client")]
    if find(error).is_some_and(ConnectError::is_timeout) {
        return StatusCode::GATEWAY_TIMEOUT;
    }
    StatusCode::BAD_GATEWAY
}

/// Returns the allowed methods, which a 405 must list (RFC 9110, 15.5.6); `None` for other errors.
pub(super) fn allowed_methods(error: &(dyn Error + 'static)) -> Option<HeaderValue> {
    if let Some(NoRoute::MethodNotAllowed(methods)) = find(error) {
        return Some(methods.to_header());
    }
    #[cfg(feature = "files")]
    if let Some(FilesError::MethodNotAllowed) = find(error) {
        return Some(HeaderValue::from_static("GET, HEAD"));
    }
    matches!(find(error), Some(InvalidRequest::Method))
        .then(|| HeaderValue::from_static("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"))
}

/// Returns how a client can authenticate, which a 401 must say (RFC 9110, 15.5.2); `None` for other errors.
#[cfg(feature = "jwt")]
pub(super) fn challenge(error: &(dyn Error + 'static)) -> Option<HeaderValue> {
    find(error).and_then(JwtRejected::challenge)
}

#[cfg(not(feature = "jwt"))]
pub(super) fn challenge(_: &(dyn Error + 'static)) -> Option<HeaderValue> {
    None
}

/// Returns when to try again, in whole seconds (RFC 9110, 10.2.3); `None` if the error does not say.
pub(super) fn retry_after(error: &(dyn Error + 'static)) -> Option<HeaderValue> {
    let not_ready = || find::<NotReady>(error).map(|_| NotReady::RETRY_AFTER);
    let in_flight = || find::<TooManyInFlight>(error).map(|_| TooManyInFlight::RETRY_AFTER).or_else(not_ready);
    #[cfg(feature = "jwt")]
    let in_flight = || in_flight().or_else(|| find::<JwtRejected>(error)?.retry_after());
    #[cfg(feature = "rate-limit")]
    let wait = find::<RateLimited>(error).map(RateLimited::retry_after).or_else(in_flight);
    #[cfg(not(feature = "rate-limit"))]
    let wait = in_flight();
    wait.map(|wait| whole_seconds(wait).into())
}

/// Rounded up, and never 0, so that no client tries again too early.
fn whole_seconds(wait: Duration) -> u64 {
    let whole = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    whole.max(1)
}

/// Creates a response with the status as its body.
pub fn plain<B: From<String>>(status: StatusCode) -> Response<B> {
    let mut response = Response::new(B::from(format!("{status}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

#[cfg(test)]
mod tests {
    use tower::BoxError;

    use super::*;

    #[test]
    fn each_error_has_its_status() {
        let table: [(BoxError, u16); 26] = [
            (HostRejected::NotServed.into(), 421),
            (HostRejected::NoHost.into(), 400),
            (InvalidRequest::Length.into(), 400),
            (InvalidRequest::Target.into(), 400),
            (InvalidRequest::Method.into(), 405),
            (NotSwitched::Protocol.into(), 400),
            (NotSwitched::Ignored.into(), 501),
            (NotSwitched::Proof.into(), 502),
            (MissingUpgrade.into(), 500),
            (PathRejected::Ambiguous.into(), 400),
            (NoRoute::NotFound.into(), 404),
            (NoRoute::Ambiguous.into(), 400),
            (NoRoute::MethodNotAllowed(Box::default()).into(), 405),
            (Misdirected.into(), 421),
            (LoopDetected.into(), 508),
            (BodyTooLong.into(), 413),
            (TimedOut::Backend.into(), 504),
            (TimedOut::Client.into(), 408),
            (AllUnreachable.into(), 503),
            (TooManyInFlight.into(), 503),
            (NotReady::TimedOut(Duration::ZERO).into(), 503),
            (NotReady::TooManyWaiting.into(), 503),
            (NotReady::Stopped.into(), 503),
            (ClientDenied.into(), 403),
            (NoResponse.into(), 403),
            ("anything else".into(), 502),
        ];
        for (error, expected) in table {
            assert_eq!(status(&*error).as_u16(), expected, "{error}");
        }
    }

    #[test]
    fn waiting_times_are_rounded_up() {
        for (millis, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2), (59_999, 60), (60_000, 60)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), seconds, "{millis}");
        }
        assert_eq!(retry_after(&TooManyInFlight), Some(HeaderValue::from_static("1")));
        assert_eq!(retry_after(&NotReady::TooManyWaiting), Some(HeaderValue::from_static("1")));
        assert_eq!(retry_after(&LoopDetected), None);
    }
}
