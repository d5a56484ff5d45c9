//! Sends copies of a route's requests to its mirror.

use std::sync::Arc;

use ::http::{HeaderName, HeaderValue};
use pmesh_layers::mirror::MirrorLayer;
use tower::BoxError;

use super::{Connections, Endpoints, local_services::Wait, proxy::proxy, route_settings::RouteSettings};
use crate::{
    middleware::Layered,
    settings::{Answer, Route},
};

/// The header that marks copies for backends. Clients cannot send it.
const HEADER: HeaderName = HeaderName::from_static("x-pmesh-mirror");

/// Builds the layer of each worker. Copies pass the same layers as their requests, except for the endpoint.
pub(super) fn mirrors(
    route: &Route,
    settings: &RouteSettings,
    connections: &[Arc<Connections>],
    wait: Option<&Wait>,
    endpoints: &Endpoints,
) -> Result<Vec<MirrorLayer<Layered>>, BoxError> {
    let Some(mirror) = route.mirror() else { return Ok(Vec::new()) };
    let layer = MirrorLayer::new(())
        .percent(mirror.percent)
        .max_body(mirror.max_body)
        .max_in_flight(mirror.max_in_flight)
        .memory(endpoints.buffer_memory().clone())
        .header(HEADER, HeaderValue::from_static("1"))
        // The proxy limits the time for the head of the response. The body gets the same time again.
        .timeout(route.response_timeout.saturating_mul(2))
        .stats(Arc::clone(endpoints.mirrored()));
    let route = Route { answer: Answer::Upstream(vec![mirror.upstream.clone()]), ..route.clone() };
    let of_worker = |worker| {
        let proxy = proxy(&route, settings, connections, wait, worker, endpoints)?;
        Ok(layer.with_mirror(Layered::new(proxy)))
    };
    (0..endpoints.workers()).map(of_worker).collect()
}
