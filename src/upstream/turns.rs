//! The endpoints of a route, tried in turn. If there are other nodes among them, they are chosen for each request.

use std::{
    fmt,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::Either;
use http::{HeaderValue, Request, Response};
use pmesh_layers::{
    balance::{self, Balance, Rotation, connect_share},
    body::{RequestBody, ResponseBody},
    edit_path::PathEdits,
    host::HostName,
    identity::NodeName,
    response_timeout::ResponseTimeoutLayer,
    sni::Misdirected,
};
use tower::{BoxError, Layer, Service};

use super::{
    aim::Aim,
    backend::{Attempt, Backend},
};
use crate::{
    mesh::{Linker, Passed, Peer, Peers, State},
    settings::{API_HOST, Route, endpoint::Endpoint},
};

/// The endpoints of a route, in turn.
#[derive(Debug, Clone)]
pub enum InTurn {
    /// The same endpoints for each request.
    Own(Balance<Attempt>),
    /// Endpoints and other nodes, except nodes that are unknown or that the request has passed through.
    Nodes(Arc<NodesInTurn>),
}

impl Service<Request<RequestBody>> for InTurn {
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = Either<balance::ResponseFuture<Attempt>, Ready<Result<Response<ResponseBody>, BoxError>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        // A `Balance` is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        match self {
            Self::Own(balance) => Either::Left(balance.call(request)),
            Self::Nodes(nodes) => match nodes.balance(&request) {
                Ok(mut balance) => Either::Left(balance.call(request)),
                Err(error) => Either::Right(ready(Err(error))),
            },
        }
    }
}

/// The endpoints of a route that leads to other nodes.
#[derive(Debug)]
pub struct NodesInTurn {
    own: Vec<balance::Endpoint<Backend>>,
    named: Vec<NodeName>,
    /// Whether other nodes that serve the requested host and path are used as well.
    any: bool,
    /// Whether ambiguous paths are accepted.
    literal: bool,
    edits: PathEdits,
    host: Option<HeaderValue>,
    timeouts: Timeouts,
    rotation: Rotation,
    linker: Linker,
    peers: Arc<Peers>,
}

/// The timeouts of an endpoint that is the only one. With several, they share the connect timeout.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    pub(super) connect: Duration,
    pub(super) response: ResponseTimeoutLayer,
}

impl NodesInTurn {
    pub(super) fn new(
        route: &Route,
        own: Vec<balance::Endpoint<Backend>>,
        timeouts: Timeouts,
        linker: Linker,
        peers: Arc<Peers>,
    ) -> Arc<Self> {
        let named = route.endpoints().iter().filter_map(|endpoint| match endpoint {
            Endpoint::Mesh(name) => Some(name.clone()),
            _ => None,
        });
        Arc::new(Self {
            own,
            named: named.collect(),
            any: route.endpoints().contains(&Endpoint::MeshAny),
            literal: route.allow_ambiguous_paths,
            edits: route.path_edits(),
            host: route.host_header.clone(),
            timeouts,
            rotation: Rotation::new(),
            linker,
            peers,
        })
    }

    /// The endpoints that may get the request: first this node's own and the live nodes that the route names, then all
    /// others.
    fn balance<B>(&self, request: &Request<B>) -> Result<Balance<Attempt>, BoxError> {
        let host = request.extensions().get::<HostName>();
        let passed = request.extensions().get::<Passed>();
        // On another node, this host is that node's own API. A wildcard route can match it, but clients must not reach it.
        let Some(host) = host.filter(|host| host.as_str() != API_HOST) else { return Err(Misdirected.into()) };
        // Checked first: if the endpoints cannot get the new path, the request is rejected even if it is a node's turn.
        let to_endpoint = match self.own.is_empty() {
            true => None,
            false => Some(Arc::new(Aim::for_endpoint(request, &self.edits, self.host.as_ref())?)),
        };
        let to_node = Arc::new(Aim::for_node(request, passed));
        let may = |peer: &&Arc<Peer>| passed.is_none_or(|passed| passed.allows(&peer.name));

        let table = self.peers.load();
        let named = self.named.iter().filter_map(|name| table.get(name.as_str()));
        let (dead, alive): (Vec<_>, Vec<_>) = named.clone().filter(may).partition(|peer| is_dead(peer));
        let any = if self.any { table.serving(host, request.uri().path(), self.literal)? } else { &[] };
        let any = any.iter().filter(|peer| !self.named.contains(&peer.name));
        let mut others: Vec<_> = any.clone().filter(may).collect();
        // If all are marked dead, try them anyway.
        if others.iter().any(|peer| !is_dead(peer)) {
            others.retain(|peer| !is_dead(peer));
        }

        let count = self.own.len() + alive.len() + others.len() + dead.len();
        let share = connect_share(self.timeouts.connect, count);
        let attempt = |aim: &Arc<Aim>, backend: Backend| {
            let backend = Box::new(backend.connect_within(share));
            self.timeouts.response.layer(Backend::Aimed(Arc::clone(aim), backend))
        };
        let own = to_endpoint
            .iter()
            .flat_map(|aim| self.own.iter().map(|endpoint| endpoint.with(attempt(aim, endpoint.service().clone()))));
        let node = |peer: &Arc<Peer>| {
            let link = self.linker.link(peer)?;
            Some(link.with(attempt(&to_node, Backend::Node(link.service().clone()))))
        };
        let first: Vec<_> = own.chain(alive.into_iter().filter_map(node)).collect();
        let then: Vec<_> = others.into_iter().chain(dead).filter_map(node).collect();
        if !first.is_empty() || !then.is_empty() {
            return Ok(self.rotation.balance(first, then));
        }
        match passed {
            Some(passed) if named.chain(any).next().is_some() => Err(passed.routing_loop().into()),
            _ => Err(NoNode { named: self.named.clone() }.into()),
        }
    }
}

fn is_dead(peer: &Peer) -> bool {
    peer.health.state() == State::Dead
}

/// No node can get the request.
#[derive(Debug, thiserror::Error)]
struct NoNode {
    named: Vec<NodeName>,
}

impl fmt::Display for NoNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.named.first() {
            Some(name) => write!(f, "node {name} is not in the registry, so its address is unknown"),
            None => f.write_str("no known node serves the host and the path"),
        }
    }
}
