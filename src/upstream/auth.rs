//! The authentication server of a route, for `forward_auth`.

use std::sync::Arc;

use pmesh_layers::{
    balance::{Balance, Rotation},
    response_timeout::ResponseTimeoutLayer,
};
use tower::Layer;

use super::{Connections, backend::Attempt, proxy::recorded};
use crate::settings::{ForwardAuth, Route};

/// Sends requests to the authentication server, over connections like those to an endpoint.
pub(super) type AuthServer = Balance<Attempt>;

/// The server of a route, for one worker. Without `connections`, nobody gets in.
pub(super) fn auth_server(
    auth: &ForwardAuth,
    route: &Route,
    connections: Option<&Arc<Connections>>,
    worker: usize,
) -> AuthServer {
    let timeout = ResponseTimeoutLayer::new(auth.timeout);
    let connect_timeout = auth.connect_timeout(route);
    let server = |connections: &Arc<Connections>| {
        let pool = connections.pool(worker).clone().connect_within(connect_timeout);
        recorded(connections, worker, timeout.layer(pool))
    };
    Rotation::new().balance(connections.into_iter().map(server).collect(), Vec::new())
}
