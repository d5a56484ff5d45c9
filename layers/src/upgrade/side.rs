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

/// What is dropped when the tunnel ends.
#[derive(Debug)]
pub(super) enum Kept {
    Nothing,
    /// The client's connection, so that it stays on record.
    Connection(#[expect(dead_code, reason = "kept to be dropped")] ConnInfo),
    /// The client's connection, where the tunnel is one of its streams.
    Stream(ConnInfo, Option<OpenTunnel>),
    /// What the backend's pool has left in the response.
    Lease(#[expect(dead_code, reason = "kept to be dropped")] Lease),
}

/// An extension of a 101: what its pool has to keep as long as the tunnel is open.
#[derive(Debug, Clone)]
pub(super) struct Lease(#[expect(dead_code, reason = "kept to be dropped")] Arc<dyn Any + Send + Sync>);

impl Lease {
    pub(super) fn new(kept: impl Any + Send + Sync) -> Self {
        Self(Arc::new(kept))
    }
}

impl Side {
    /// The client's side, from a request that asks for an upgrade. It stays in the request, too, for a service that
    /// takes the upgrade itself.
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

    /// The backend's side, from a response that switches protocols; `None` if there is no connection behind it.
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

    /// Waits until hyper hands the connection over.
    pub(super) async fn open(self) -> hyper::Result<(Upgraded, Kept)> {
        Ok((self.io.await?, self.kept))
    }
}

impl Kept {
    /// A piece has moved. For a client's stream this counts as progress of its connection, whose other streams share
    /// one timeout of bodies.
    pub(super) fn note_progress(&self) {
        if let Self::Stream(_, Some(open)) = self {
            open.note_progress();
        }
    }
}
