//! The layers that proxy requests to the endpoints of a route.

use std::sync::Arc;

use ::http::{HeaderValue, header::HOST};
use pmesh_layers::{
    balance::{self, Balance, Rotation, connect_share},
    body_limit::{BodyLimit, BodyLimitLayer},
    response_timeout::ResponseTimeoutLayer,
    route::{StripPrefix, StripPrefixLayer},
    stall::{Stall, StallLayer, StallTimeouts},
    upgrade::Tunnel,
};
use tower::{BoxError, Layer, ServiceBuilder, util::Either};
use tower_http::set_header::{SetRequestHeader, SetRequestHeaderLayer};

use super::{
    Connections, Endpoints,
    local_services::{Turns, Wait},
    route_settings::RouteSettings,
    turns::{InTurn, NodesInTurn, Timeouts},
};
use crate::{
    middleware::is_bare,
    settings::{Answer, Route, endpoint::Endpoint},
};

/// Sends requests to the endpoints of a route.
pub type Proxy = Tunnel<Untunneled>;
/// The proxy without its tunnel layer, which is separate for each host and path.
pub(super) type Untunneled = Prepared<Turns>;
/// The layers of a route around its endpoints.
pub(super) type Prepared<S> = Timed<Stripped<Renamed<BodyLimit<S>>>>;
type Timed<S> = Either<Stall<S>, S>;
type Stripped<S> = Either<StripPrefix<S>, S>;
type Renamed<S> = Either<SetRequestHeader<S, HeaderValue>, S>;

/// Builds the layers of a route for a worker, outermost first.
pub(super) fn proxy(
    route: &Route,
    settings: &RouteSettings,
    own: &[Arc<Connections>],
    wait: Option<&Wait>,
    worker: usize,
    endpoints: &Endpoints,
) -> Result<Untunneled, BoxError> {
    let strip = strip(route);
    // Around each endpoint, so that an endpoint that hangs counts as failed. It covers only the head of the response;
    // the server watches the body.
    let timeout = ResponseTimeoutLayer::new(route.response_timeout)
        .stream_timeout(route.stream_timeout)
        .min_rate(settings.body_min_rate, route.stall_timeout);
    // All endpoints share this time, which cannot be longer than the response timeout.
    let connect_timeout = route.connect_timeout.min(route.response_timeout);
    let timeout_of = |endpoint: &Endpoint| if endpoint.is_http2() { timeout.except_http2() } else { timeout };
    Ok(if !route.endpoints().iter().any(Endpoint::is_mesh) {
        // At most half of the addresses of a service are in use.
        let others = own.iter().filter(|connections| connections.slot().is_none()).count();
        let share = connect_share(connect_timeout, others + wait.map_or(0, |wait| wait.instances));
        let attempt = |connections: &Arc<Connections>| {
            let pool = connections.pool(worker).clone().connect_within(share);
            recorded(connections, worker, timeout_of(connections.endpoint()).layer(pool))
        };
        let balance: Balance<_> = Rotation::new().balance(own.iter().map(attempt).collect(), Vec::new());
        let balance = if wait.is_some() { balance.return_requests() } else { balance };
        prepared(Turns::new(InTurn::Own(balance), wait), route, settings, strip, route.host_header.clone())
    } else {
        // Other nodes get the request unchanged, so path and Host are changed separately for each endpoint.
        let own =
            own.iter().map(|connections| recorded(connections, worker, connections.pool(worker).clone())).collect();
        let linker = endpoints.linker(worker, &settings.connections)?;
        let timeouts = Timeouts { connect: connect_timeout, response: timeout.except_http2() };
        let nodes = NodesInTurn::new(route, own, timeouts, linker, Arc::clone(&endpoints.peers));
        prepared(Turns::new(InTurn::Nodes(nodes), wait), route, settings, None, None)
    })
}

/// The layer that removes the prefix from the path, if the route needs nothing else. If it has middleware, that makes all
/// changes to the path.
pub(super) fn strip(route: &Route) -> Option<StripPrefixLayer> {
    // With files, the middleware has removed it.
    let strips = route.strip_prefix && is_bare(route) && !matches!(route.answer, Answer::Files(..));
    strips.then(|| StripPrefixLayer::any(route.prefixes().cloned()))
}

/// Puts the layers of a route around its endpoints. They change the prefix and Host for all endpoints alike.
pub(super) fn prepared<S>(
    turns: S,
    route: &Route,
    settings: &RouteSettings,
    strip: Option<StripPrefixLayer>,
    host: Option<HeaderValue>,
) -> Prepared<S> {
    ServiceBuilder::new()
        // Only if they differ from the server's.
        .option_layer(own_timeouts(route, settings).map(StallLayer::new))
        .option_layer(strip)
        .option_layer(host.map(|host| SetRequestHeaderLayer::overriding(HOST, host)))
        // A request whose known length is too large gets a 413 before any backend is involved.
        .layer(BodyLimitLayer::new(route.max_body))
        .service(turns)
}

/// The stall and stream timeouts of a route, if they differ from the server's.
fn own_timeouts(route: &Route, server: &RouteSettings) -> Option<StallTimeouts> {
    let mut own = StallTimeouts::new();
    if route.stall_timeout != server.stall_timeout {
        own = own.with_stall(route.stall_timeout);
    }
    if route.stream_timeout != server.stream_timeout {
        own = own.with_stream(route.stream_timeout);
    }
    (own != StallTimeouts::new()).then_some(own)
}

/// An endpoint of a worker, with the record that all workers share.
pub(super) fn recorded<S>(connections: &Connections, worker: usize, service: S) -> balance::Endpoint<S> {
    let record = connections.record();
    balance::Endpoint::with_health(connections.endpoint().to_string(), service, record.health.clone())
        .with_stats(Arc::clone(&record.stats[worker]))
}
