//! `Balance` over arbitrary services: how their failures are classified, and what is retried.

use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use pmesh_layers::{
    balance::{Balance, Classify, Endpoint, EndpointError, Failure, Rotation},
    body::RequestBody,
    body_limit::BodyLimitLayer,
    buffer_body::BufferBodyLayer,
    respond::status,
    response_timeout::ResponseTimeoutLayer,
};
use tower::{BoxError, Layer, ServiceExt, service_fn, util::BoxCloneSyncService};

type Service = BoxCloneSyncService<Request<RequestBody>, Response<String>, BoxError>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("refused")]
struct Refused;

/// Fails without looking at the request.
fn refuses() -> (&'static str, Service) {
    ("refuses", BoxCloneSyncService::new(service_fn(async |_| Err(Refused.into()))))
}

/// Fails once it has read the request.
fn breaks_off() -> (&'static str, Service) {
    let service = service_fn(async |request: Request<RequestBody>| {
        request.into_body().collect().await?;
        Err(Refused.into())
    });
    ("breaks off", BoxCloneSyncService::new(service))
}

/// Responds with its status and the body of the request.
fn responds(name: &'static str, status: u16) -> (&'static str, Service) {
    let service = service_fn(move |request: Request<RequestBody>| async move {
        let body = request.into_body().collect().await?.to_bytes();
        let mut response = Response::new(String::from_utf8(body.to_vec())?);
        *response.status_mut() = StatusCode::from_u16(status)?;
        Ok(response)
    });
    (name, BoxCloneSyncService::new(service))
}

/// Longer than the part of a body that is kept for a retry.
const LONG: &str = match std::str::from_utf8(&[b'x'; 65537]) {
    Ok(text) => text,
    Err(_) => "",
};

fn classify_refused(error: &BoxError) -> Failure {
    if error.is::<Refused>() { Failure::new().unsent() } else { Failure::new() }
}

struct Unavailable;

impl Classify for Unavailable {
    fn response(&self, status: StatusCode, _: &HeaderMap) -> Option<Failure> {
        (status == StatusCode::SERVICE_UNAVAILABLE).then(|| Failure::new().unprocessed())
    }
}

/// The status and the body of the response, or the last endpoint that failed.
async fn send<S>(balance: &Balance<S>, method: &str, body: &'static str) -> Result<(u16, String), String>
where
    Balance<S>:
        tower::Service<Request<String>, Response = Response<pmesh_layers::body::ResponseBody>, Error = BoxError>,
{
    let request = Request::builder().method(method).body(body.to_owned()).unwrap();
    match balance.clone().oneshot(request).await {
        Ok(response) => {
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.unwrap().to_bytes();
            Ok((status, String::from_utf8(body.to_vec()).unwrap()))
        }
        Err(error) => Err(error.downcast_ref::<EndpointError>().unwrap().endpoint().to_owned()),
    }
}

#[tokio::test]
async fn without_a_classifier_only_idempotent_requests_without_a_body_are_retried() {
    for (method, body, again) in
        [("GET", "", true), ("PUT", "", true), ("POST", "", false), ("PUT", "body", false), ("POST", "body", false)]
    {
        let balance = Balance::new([refuses(), responds("up", 200)]);
        let expected = if again { Ok((200, body.to_owned())) } else { Err("refuses".to_owned()) };
        assert_eq!(send(&balance, method, body).await, expected, "{method} {body}");
    }
}

#[tokio::test]
async fn with_a_buffer_idempotent_requests_with_a_body_are_retried() {
    for (method, body, again) in
        [("PUT", "body", true), ("DELETE", "body", true), ("POST", "body", false), ("PUT", "longer", false)]
    {
        let balance = Balance::new([breaks_off(), responds("up", 200)]);
        let request = Request::builder().method(method).body(body.to_owned()).unwrap();
        match BufferBodyLayer::new(4).layer(balance).oneshot(request).await {
            Ok(response) => {
                let got = response.into_body().collect().await.unwrap().to_bytes();
                assert!(again && got == body, "{method} {body}");
            }
            Err(error) => {
                assert!(!again, "{method} {body}");
                assert_eq!(error.downcast_ref::<EndpointError>().unwrap().endpoint(), "breaks off");
            }
        }
    }
}

#[tokio::test]
async fn an_unsent_request_is_retried_with_its_body_unless_too_much_was_read() {
    for (first, method, body, again) in [
        (refuses(), "POST", "", true),
        (refuses(), "POST", "body", true),
        (breaks_off(), "POST", "", true),
        (breaks_off(), "POST", "body", true),
        (breaks_off(), "POST", LONG, false),
        (breaks_off(), "PUT", LONG, false),
        (refuses(), "POST", LONG, true),
    ] {
        let name = first.0;
        let balance = Balance::new([first, refuses(), responds("up", 200)]).classify(classify_refused);
        let expected = if again { Ok((200, body.to_owned())) } else { Err(name.to_owned()) };
        assert_eq!(send(&balance, method, body).await, expected, "{name} {method} {body}");
    }
}

#[tokio::test]
async fn a_classifier_can_declare_requests_repeatable() {
    let balance =
        Balance::new([breaks_off(), responds("up", 200)]).classify(|_: &BoxError| Failure::new().repeatable());
    assert_eq!(send(&balance, "POST", "body").await, Ok((200, "body".to_owned())));
}

#[tokio::test]
async fn errors_within_a_response_timeout_are_classified() {
    let timeout = ResponseTimeoutLayer::new(Duration::from_secs(60));
    let endpoints = [refuses(), responds("up", 200)].map(|(name, service)| (name, timeout.layer(service)));
    let balance = Balance::new(endpoints).classify(classify_refused);
    assert_eq!(send(&balance, "POST", "body").await, Ok((200, "body".to_owned())));
}

/// A body that the client cuts off.
fn cut() -> RequestBody {
    let pieces = [Ok(Frame::data("piece".into())), Err(BoxError::from("the client is gone"))];
    RequestBody::new(StreamBody::new(futures_util::stream::iter(pieces)))
}

#[tokio::test]
async fn errors_of_the_client_do_not_count_against_the_endpoint() {
    let limited = |(name, service)| (name, BoxCloneSyncService::new(BodyLimitLayer::new(Some(4)).layer(service)));
    for method in ["POST", "PUT", "GET"] {
        for body in [cut, || RequestBody::new(String::from("too long"))] {
            for classified in [false, true] {
                let (name, service): (_, Service) = limited(responds("up", 200));
                let endpoint = Endpoint::new(name, service);
                let mut balance = Rotation::new().balance(vec![endpoint.clone()], Vec::new());
                if classified {
                    balance = balance.classify(|_: &BoxError| Failure::new().repeatable());
                }
                let request = Request::builder().method(method).body(body()).unwrap();
                let error = balance.oneshot(request).await.unwrap_err();
                let failed = error.downcast_ref::<EndpointError>().unwrap();
                assert!(!failed.is_endpoint_failure() && failed.attempts() == 1, "{method} {classified} {error:?}");
                assert!(endpoint.health().state().last_failure.is_none() && endpoint.stats().failures() == 0);
                assert!(matches!(status(&*error).as_u16(), 400 | 413), "{error:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_response_can_count_as_a_failure() {
    let endpoint = |(name, service)| Endpoint::new(name, service);
    let (busy, up) = (endpoint(responds("busy", 503)), endpoint(responds("up", 200)));
    let balance = Rotation::new().balance(vec![busy.clone(), up], Vec::new()).classify(Unavailable);
    for _ in 0..4 {
        assert_eq!(send(&balance, "POST", "").await, Ok((200, String::new())));
    }
    assert_eq!((busy.stats().requests(), busy.stats().failures()), (1, 1));
    let failure = busy.health().state().last_failure.unwrap();
    assert_eq!(&*failure.error, "the endpoint responded with 503 Service Unavailable, which counts as a failure");
}

#[tokio::test]
async fn a_failed_response_is_returned_if_there_is_no_other() {
    for balance in [
        Balance::new([responds("busy", 503)]).classify(Unavailable),
        Balance::new([responds("busy", 503), responds("busy, too", 503)]).classify(Unavailable),
        Balance::new([responds("busy", 503), responds("up", 200)]),
    ] {
        assert_eq!(send(&balance, "POST", "").await, Ok((503, String::new())));
    }
    // Too much of the request body has been read to send it again.
    let balance = Balance::new([responds("busy", 503), responds("up", 200)]).classify(Unavailable);
    assert_eq!(send(&balance, "POST", LONG).await, Ok((503, LONG.to_owned())));
}

#[tokio::test]
async fn a_classifier_of_responses_does_not_change_how_pool_errors_count() {
    let pool = pmesh_layers::pool::Pool::new(
        service_fn(async |_| Err::<hyper_util::rt::TokioIo<tokio::net::TcpStream>, _>(Refused)),
        "http://backend".parse().unwrap(),
    );
    let balance = Balance::new([("a", pool.clone()), ("b", pool)]).classify(Unavailable);
    let request = Request::post("/").body(String::from("body")).unwrap();
    let error = balance.oneshot(request).await.unwrap_err();
    assert_eq!(error.downcast_ref::<EndpointError>().unwrap().attempts(), 2);
}
