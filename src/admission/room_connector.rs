//! Connects to backends even when no descriptor is left.
//!
//! An idle client connection is closed to free one, and requests of other nodes may use those that are held back for them.

use std::{
    error::Error,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use pmesh_layers::connect::ConnectError;
use tower::Service;

use crate::admission::{Admission, exhaustion::Exhaustion, spares::is_for_node};

/// More than one, because a freed descriptor may go to a connection that is accepted at that moment.
const TRIES: usize = 8;
/// How long to wait until a connection that makes room is closed.
const PATIENCE: Duration = Duration::from_millis(50);

/// Connects with the inner connector, and again after making room.
#[derive(Debug, Clone)]
pub struct RoomConnector<C> {
    inner: C,
    admission: Arc<Admission>,
    worker: usize,
    to_node: bool,
}

impl<C> RoomConnector<C> {
    /// For the connections of `worker`.
    pub fn new(inner: C, admission: Arc<Admission>, worker: usize) -> Self {
        Self { inner, admission, worker, to_node: false }
    }

    /// For connections to other nodes, which carry the requests of many clients.
    #[must_use]
    pub fn to_node(self) -> Self {
        Self { to_node: true, ..self }
    }
}

impl<C> Service<Uri> for RoomConnector<C>
where
    C: Service<Uri, Error = ConnectError> + Clone + Send + 'static,
    C::Response: Send,
    C::Future: Send,
{
    type Response = C::Response;
    type Error = ConnectError;
    // Boxed: once a connection, not a request.
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { mut inner, admission, worker, to_node } = self.clone();
        // Asked here, because the future may be polled by another task.
        let for_node = to_node || is_for_node();
        Box::pin(async move {
            let spares = admission.spares();
            for _ in 1..TRIES {
                // Descriptors for nodes are held back again before a client gets one.
                if for_node || spares.restore().is_ok() {
                    let result = inner.call(uri.clone()).await;
                    let Some(error) = result.as_ref().err().and_then(exhaustion) else { return result };
                    if for_node && spares.free_outgoing(error) {
                        continue;
                    }
                }
                let Some(leaving) = admission.make_room(worker) else { break };
                leaving.gone(PATIENCE).await;
            }
            inner.call(uri).await
        })
    }
}

/// The system's error, if it has nothing left for the connection.
fn exhaustion(error: &ConnectError) -> Option<&io::Error> {
    error.source()?.downcast_ref::<io::Error>().filter(|error| Exhaustion::is_cause_of(error))
}
