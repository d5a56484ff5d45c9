//! What a node tells other nodes of itself, and does for them.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use pmesh_layers::identity::NodeName;
use tower::Service;

/// The host of requests that are for the node itself, and for nothing behind it. No route may serve it.
pub const API_HOST: &str = "pmesh.internal";

/// The service of requests of other nodes for [`API_HOST`]. Nobody else gets here: who asks is known by
/// [`ConnInfo::peer_node`](pmesh_layers::conn::ConnInfo::peer_node). Made once, cloned for each request.
#[derive(Debug, Clone)]
pub struct Api {
    _node: NodeName,
}

impl Api {
    /// The API of the node `node`.
    pub fn new(node: NodeName) -> Self {
        Self { _node: node }
    }
}

impl Service<Request<Incoming>> for Api {
    /// Answers are short: they are there as a whole.
    type Response = Response<Bytes>;
    type Error = Infallible;
    /// Any future that is `Send`.
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NOT_FOUND;
        ready(Ok(response))
    }
}
