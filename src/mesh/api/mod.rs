//! The API of a node for other nodes: JSON over HTTP, open only to nodes that hold the secret.
//!
//! | `GET` | response |
//! | --- | --- |
//! | `/v1/node` | [`NodeReport`]: its name, its routes, and the time of its clock |
//! | `/v1/peers` | [`PeersReport`]: the nodes that it knows, and whether they respond |
//! | `/v1/registry` | [`RegistryReport`]: whether it has a registry, and is connected to it |
//! | `/v1/counters` | [`CountersReport`]: its connections and requests since it started |
//! | `/v1/health` | [`HealthReport`], with 200 while it serves and 503 during shutdown |
//!
//! Keys can be added to a version, but if the meaning of a key changes, there is a new version. Times are in seconds since
//! 1970.

mod about;
mod report;

use std::{
    convert::Infallible,
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Router,
    extract::State,
    http::header::{CACHE_CONTROL, CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use pmesh_layers::body::RequestBody;
use serde::Serialize;
use tower::Service;

pub use self::{
    about::About,
    report::{
        CountersReport, HealthReport, ListenerReport, NodeReport, PeerReport, PeersReport, RegistryReport, Route,
    },
};

/// The service for requests from other nodes to [`API_HOST`](crate::settings::API_HOST). Only nodes can reach it;
/// [`ConnInfo::peer_node`](pmesh_layers::conn::ConnInfo::peer_node) has the name of the node. Created once, and cloned
/// for each request.
#[derive(Debug, Clone)]
pub struct Api {
    router: Router,
}

impl Api {
    /// Creates the API of the node that `about` describes.
    pub fn new(about: Arc<About>) -> Self {
        let router = Router::new()
            .route("/v1/node", get(async |State(about): State<Arc<About>>| Json(about.node())))
            .route("/v1/peers", get(async |State(about): State<Arc<About>>| Json(about.peers())))
            .route("/v1/registry", get(async |State(about): State<Arc<About>>| Json(about.registry())))
            .route("/v1/counters", get(async |State(about): State<Arc<About>>| Json(about.counters())))
            .route("/v1/health", get(health))
            .with_state(about);
        Self { router }
    }
}

async fn health(State(about): State<Arc<About>>) -> impl IntoResponse {
    let report = about.health();
    let status = if report.serving { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report))
}

/// A report as a response. axum's own `Json` would add a dependency that is only needed for parsing.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> axum::response::Response {
        match serde_json::to_vec(&self.0) {
            Ok(json) => ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], json).into_response(),
            // Serializing a report never fails.
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

impl Service<Request<RequestBody>> for Api {
    /// Responses are short, so the body is in one piece.
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        let answer = self.router.call(request);
        Answer(Box::pin(async move {
            let (head, body) = answer.await?.into_parts();
            // The body is in memory, so reading it never fails.
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            Ok(Response::from_parts(head, body))
        }))
    }
}

/// The response future of [`Api`]. Boxed, as there are only a few requests per second.
pub struct Answer(Pin<Box<dyn Future<Output = Result<Response<Bytes>, Infallible>> + Send>>);

impl Future for Answer {
    type Output = Result<Response<Bytes>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use arc_swap::ArcSwap;
    use axum::body::Body;
    use tokio::sync::watch;
    use tower::ServiceExt;

    use super::*;
    use crate::mesh::{Instance, Peers};

    fn api(stop: watch::Receiver<bool>) -> Api {
        Api::new(Arc::new(About {
            name: "a".parse().unwrap(),
            instance: Instance::random(),
            started: Instant::now(),
            listeners: ArcSwap::default(),
            serves: ArcSwap::default(),
            peers: Arc::new(Peers::new([].into())),
            registry: None,
            counters: Vec::new(),
            limited: Arc::default(),
            mirrored: Arc::default(),
            stop,
        }))
    }

    async fn asked(api: &Api, method: &str, path: &str) -> (u16, String) {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = api.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        (status, String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap())
    }

    #[tokio::test]
    async fn reports_are_json() {
        let (_stop, stopped) = watch::channel(false);
        let api = api(stopped);
        for path in ["/v1/node", "/v1/peers", "/v1/registry", "/v1/counters", "/v1/health"] {
            let (status, body) = asked(&api, "GET", path).await;
            assert!(status == 200 && serde_json::from_str::<serde_json::Value>(&body).unwrap().is_object(), "{body}");
            assert_eq!(asked(&api, "POST", path).await.0, 405);
        }
        for path in ["/", "/v1", "/v2/node", "/v1/node/"] {
            assert_eq!(asked(&api, "GET", path).await.0, 404, "{path}");
        }
    }

    #[tokio::test]
    async fn health_is_503_during_shutdown() {
        let (stop, stopped) = watch::channel(false);
        let api = api(stopped);
        assert_eq!(asked(&api, "GET", "/v1/health").await, (200, "{\"serving\":true}".to_owned()));
        stop.send_replace(true);
        assert_eq!(asked(&api, "GET", "/v1/health").await, (503, "{\"serving\":false}".to_owned()));
    }
}
