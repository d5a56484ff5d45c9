use std::{any::Any, sync::Arc};

use http::{Request, Response, Version};
use hyper::upgrade::{OnUpgrade, Upgraded};

use crate::conn::{ConnInfo, OpenTunnel};

/// One side of a tunnel before it is open: the connection or stream that hyper will hand over, and what is kept until
/// the tunnel ends.
#[derive(Debug)]
pub(super) struct Side {
    io: OnUpgrade,
    kept: Kept,
}

/// What is kept until the tunnel ends, and then dropped.
#[derive(Debug)]
pub(super) enum Kept {
    Nothing,
    /// The client's connection, so that it stays on record.
    Connection(#[expect(dead_code, reason = "kept to be dropped")] ConnInfo),
    /// The client's connection, if the tunnel is one of its streams.
    Stream(ConnInfo, Option<OpenTunnel>),
    /// What the backend's pool has put into the response.
    Lease(#[expect(dead_code, reason = "kept to be dropped")] Lease),
}

/// An extension of a 101: what its pool has to keep while the tunnel is open.
#[derive(Debug, Clone)]
pub(super) struct Lease(#[expect(dead_code, reason = "kept to be dropped")] Arc<dyn Any + Send + Sync>);

impl Lease {
    pub(super) fn new(kept: impl Any + Send + Sync) -> Self {
        Self(Arc::new(kept))
    }
}

impl Side {
    /// The client's side, from a request for an upgrade. It also stays in the request, for a service that handles the
    /// upgrade itself.
    pub(super) fn client<B>(request: &Request<B>) -> Option<Self> {
        let extensions = request.extensions();
        let io = extensions.get::<OnUpgrade>()?.clone();
        let kept = match extensions.get::<ConnInfo>().cloned() {
            None => Kept::Nothing,
            Some(info) if request.version() >= Version::HTTP_2 => Kept::Stream(info, None),
            Some(info) => Kept::Connection(info),
        };
        Some(Self { io, kept })
    }

    /// The backend's side, from a response that switches protocols. `None` if the service has no connection to hand
    /// over.
    pub(super) fn backend<B>(response: &mut Response<B>) -> Option<Self> {
        let extensions = response.extensions_mut();
        let io = extensions.remove()?;
        Some(Self { io, kept: extensions.remove().map_or(Kept::Nothing, Kept::Lease) })
    }

    /// Counts a stream as an open tunnel of its connection.
    pub(super) fn begin(&mut self) {
        if let Kept::Stream(info, open) = &mut self.kept {
            *open = Some(info.control().begin_tunnel());
        }
    }

    /// Waits until hyper hands over the connection.
    pub(super) async fn open(self) -> hyper::Result<(Upgraded, Kept)> {
        Ok((self.io.await?, self.kept))
    }
}

impl Kept {
    /// Notes that a piece has moved. For a client's stream, this is progress of its connection, whose other streams
    /// share one stall timeout.
    pub(super) fn record_progress(&self) {
        if let Self::Stream(_, Some(open)) = self {
            open.record_progress();
        }
    }
}
