//! The connections of a worker to one endpoint.

use std::{
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use ::http::{Request, Response};
use pmesh_layers::{
    body::{RequestBody, ResponseBody},
    connect::{SourceConnector, TlsConnector, UnixConnector},
    pool::{Http2Pool, Pool, PoolError, PoolStats},
    response_timeout::ResponseTimeout,
};
use tower::Service;

use super::aim::Aim;
use crate::{admission::room_connector::RoomConnector, mesh::Dialer};

/// The connections to one endpoint, for any protocol. All variants have the same response and future types, so the choice
/// costs a request only one branch.
#[derive(Debug, Clone)]
pub enum Backend {
    Http(Pool<RoomConnector<SourceConnector>>),
    Https(Pool<TlsConnector<RoomConnector<SourceConnector>>>),
    H2c(Http2Pool<RoomConnector<SourceConnector>>),
    H2(Http2Pool<TlsConnector<RoomConnector<SourceConnector>>>),
    Unix(Pool<RoomConnector<UnixConnector>>),
    UnixH2c(Http2Pool<RoomConnector<UnixConnector>>),
    Node(Http2Pool<Dialer>),
    /// Rewrites each request for this endpoint first.
    Aimed(Arc<Aim>, Box<Backend>),
}

impl Backend {
    /// The same connections, for requests that wait at most `share` for a new one.
    pub(super) fn connect_within(self, share: Duration) -> Self {
        match self {
            Self::Http(pool) => Self::Http(pool.connect_within(share)),
            Self::Https(pool) => Self::Https(pool.connect_within(share)),
            Self::H2c(pool) => Self::H2c(pool.connect_within(share)),
            Self::H2(pool) => Self::H2(pool.connect_within(share)),
            Self::Unix(pool) => Self::Unix(pool.connect_within(share)),
            Self::UnixH2c(pool) => Self::UnixH2c(pool.connect_within(share)),
            Self::Node(pool) => Self::Node(pool.connect_within(share)),
            Self::Aimed(aim, backend) => Self::Aimed(aim, Box::new(backend.connect_within(share))),
        }
    }

    /// The connection counts.
    pub(super) fn stats(&self) -> &Arc<PoolStats> {
        match self {
            Self::Http(pool) => pool.stats(),
            Self::Https(pool) => pool.stats(),
            Self::H2c(pool) => pool.stats(),
            Self::H2(pool) => pool.stats(),
            Self::Unix(pool) => pool.stats(),
            Self::UnixH2c(pool) => pool.stats(),
            Self::Node(pool) => pool.stats(),
            Self::Aimed(_, backend) => backend.stats(),
        }
    }
}

/// A request's attempt at an endpoint.
pub(super) type Attempt = ResponseTimeout<Backend>;

impl Service<Request<RequestBody>> for Backend {
    type Response = Response<ResponseBody>;
    type Error = PoolError;
    type Future = <Pool<RoomConnector<SourceConnector>> as Service<Request<RequestBody>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // All pools are always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<RequestBody>) -> Self::Future {
        match self {
            Self::Http(pool) => pool.call(request),
            Self::Https(pool) => pool.call(request),
            Self::H2c(pool) => pool.call(request),
            Self::H2(pool) => pool.call(request),
            Self::Unix(pool) => pool.call(request),
            Self::UnixH2c(pool) => pool.call(request),
            Self::Node(pool) => pool.call(request),
            Self::Aimed(aim, backend) => {
                aim.set(&mut request);
                backend.call(request)
            }
        }
    }
}
