//! The outcome of a request.

use http::{
    HeaderName, Request, Response, StatusCode,
    header::{ALLOW, HOST, LOCATION},
    request::Parts,
};
use pmesh_layers::{
    body::{RequestBody, ResponseBody},
    host::HostRejected,
    respond::Cause,
    route::NoRoute,
};
use tower::{Layer, ServiceExt, service_fn};

use super::explanation::{ExplainedEndpoint, ExplainedPart, Outcome};
use crate::{
    middleware::{self, Inner, Layered},
    respond::answer_errors,
    settings::{Answer, Route, endpoint::Endpoint},
    upstream::Sent,
};

pub(super) fn silence(why: impl Into<String>) -> Outcome {
    Outcome::Silence { why: why.into() }
}

/// A request that names no valid host, on a connection that has named a served one.
pub(super) fn malformed(rejected: &HostRejected) -> Outcome {
    let status = StatusCode::BAD_REQUEST.as_u16();
    Outcome::Response { status, location: None, allow: None, why: rejected.to_string() }
}

/// The response of a layer. If it is an error response, the error is the reason.
pub(super) fn response(response: &Response<ResponseBody>, why: Option<String>) -> Outcome {
    let text =
        |name: HeaderName| response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into());
    let cause = || response.extensions().get::<Cause>().map(|cause| cause.error().to_string());
    Outcome::Response {
        status: response.status().as_u16(),
        location: text(LOCATION),
        allow: text(ALLOW),
        why: why.or_else(cause).unwrap_or_default(),
    }
}

/// The response to a request without a route.
pub(super) async fn no_route(error: NoRoute, other_reading: Option<String>) -> Outcome {
    let why = match (&error, other_reading) {
        (NoRoute::Ambiguous, Some(reading)) => Some(format!(
            "the path is ambiguous: some backends would read it as {reading}, which is not for the same route"
        )),
        _ => None,
    };
    let fails =
        service_fn(move |_: Request<RequestBody>| std::future::ready(Err::<Response<_>, _>(error.clone().into())));
    match answered(fails, Request::default()).await {
        Ok(answer) => response(&answer, why),
        Err(error) => silence(error.to_string()),
    }
}

/// Calls the service of a route. As in the stack, errors become responses, except for the error of a silent route.
pub(super) async fn answered<S: Inner>(service: S, request: Request<RequestBody>) -> middleware::Answer {
    Layered::new(answer_errors().layer(service)).oneshot(request).await
}

/// The response of a route: of its middleware, or its own.
pub(super) fn of_route(answer: &Response<ResponseBody>, route: &Route, parts: &[ExplainedPart]) -> Outcome {
    let own = match route.answer {
        Answer::Redirect(_) => Some("the redirect of the route"),
        Answer::Respond(_) => Some("the response of the route"),
        // Without a file, the error is the reason.
        Answer::Files(..) if answer.extensions().get::<Cause>().is_none() => Some("the files of the route"),
        Answer::Upstream(_) | Answer::Files(..) => None,
    };
    let by_part = parts.iter().find(|part| part.answers).map(|part| format!("by {}", part.key));
    response(answer, by_part.or_else(|| own.map(str::to_owned)))
}

/// What the endpoints of a route get.
pub(super) fn upstream(route: &Route, sent: &Sent) -> Outcome {
    let endpoint = |endpoint: &Endpoint| {
        let parts = if endpoint.is_mesh() { &sent.nodes } else { &sent.own };
        ExplainedEndpoint {
            address: endpoint.to_string(),
            path: path(parts),
            host: host(parts),
            state: None,
            is_backing_off: None,
        }
    };
    Outcome::Upstream {
        method: sent.own.method.to_string(),
        endpoints: route.endpoints().iter().map(endpoint).collect(),
    }
}

/// The path and query of a request.
pub(super) fn path(parts: &Parts) -> String {
    parts.uri.path_and_query().map_or_else(String::new, ToString::to_string)
}

/// The Host of a request.
pub(super) fn host(parts: &Parts) -> String {
    let host = parts.headers.get(HOST).map(|host| String::from_utf8_lossy(host.as_bytes()).into_owned());
    host.unwrap_or_default()
}
