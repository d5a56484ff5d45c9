//! The endpoints of the admin API.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{Request, State},
    http::{
        HeaderMap, StatusCode,
        header::{HOST, ORIGIN},
        uri::Authority,
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures_util::FutureExt;

use super::{Node, answer::done, services};
use crate::{explain::Question, mesh::Json};

/// Returns the admin API of `node`.
///
/// | request | response |
/// | --- | --- |
/// | `GET /v1/status` | [`StatusReport`](super::StatusReport) |
/// | `GET /v1/peers` | [`PeersReport`](crate::mesh::PeersReport) |
/// | `GET /v1/routes` | [`RoutesReport`](super::RoutesReport) |
/// | `GET /v1/upstreams` | [`UpstreamsReport`](super::UpstreamsReport) |
/// | `GET /v1/services` | [`ServicesReport`](crate::services::report::ServicesReport) |
/// | `GET /v1/services/output`, with `service`, `instance`, `lines` and `follow` | an [`OutputItem`](super::OutputItem) a line |
/// | `POST /v1/services/{name}/start`, `stop` or `restart` | [`ServiceReport`](crate::services::report::ServiceReport), or 422 with [`ErrorReport`](super::ErrorReport) |
/// | `POST /v1/explain` with a [`Question`] | [`Explanation`](crate::explain::Explanation), or 422 with [`ErrorReport`](super::ErrorReport) |
/// | `POST /v1/reload` | [`ReloadReport`](super::ReloadReport), or 422 with [`ErrorReport`](super::ErrorReport) |
/// | `POST /v1/secret/reload` | [`SecretReport`](super::SecretReport), or 422 with [`ErrorReport`](super::ErrorReport) |
pub fn router(node: Arc<dyn Node>) -> Router {
    Router::new()
        .route("/v1/status", get(async |State(node): State<Arc<dyn Node>>| Json(node.status())))
        .route("/v1/peers", get(async |State(node): State<Arc<dyn Node>>| Json(node.status().peers)))
        .route("/v1/routes", get(async |State(node): State<Arc<dyn Node>>| Json(node.routes())))
        .route("/v1/upstreams", get(async |State(node): State<Arc<dyn Node>>| Json(node.upstreams())))
        .route("/v1/services", get(async |State(node): State<Arc<dyn Node>>| Json(node.services())))
        .route("/v1/services/output", get(services::output))
        .route("/v1/services/{name}/{action}", post(services::act))
        .route("/v1/explain", post(explain))
        .route("/v1/reload", post(async |State(node): State<Arc<dyn Node>>| done(node.reload()).await))
        .route("/v1/secret/reload", post(async |State(node): State<Arc<dyn Node>>| done(node.reload_secret()).await))
        .with_state(node)
}

/// Returns the same API for a TCP port. There, any web page open on this machine could send requests too, so requests
/// from browsers get 403. They carry `Origin` or, if the page has made its own name resolve to this machine, that name
/// in `Host`.
pub fn router_for_tcp(node: Arc<dyn Node>) -> Router {
    router(node).layer(middleware::from_fn(async |request: Request, next: Next| {
        if is_from_browser(request.headers()) { StatusCode::FORBIDDEN.into_response() } else { next.run(request).await }
    }))
}

fn is_from_browser(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_loopback = |name: &str| {
        name == "localhost"
            || name.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback())
    };
    headers.contains_key(ORIGIN) || !host.parse().is_ok_and(|host: Authority| is_loopback(host.host()))
}

async fn explain(State(node): State<Arc<dyn Node>>, question: Bytes) -> Response {
    match serde_json::from_slice::<Question>(&question) {
        Ok(question) => done(node.explain(question)).await,
        Err(error) => done(async move { Err::<(), _>(error.to_string()) }.boxed()).await,
    }
}
