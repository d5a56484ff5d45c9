//! Connects to backends even when no descriptor is left.
//!
//! To free one, it closes an idle client connection. Requests from other nodes can use descriptors that are held back
//! for them.

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

/// More than one, because a freed descriptor can go to a connection that is accepted at that moment.
const TRIES: usize = 8;
/// How long to wait until the connection that makes room is closed.
const PATIENCE: Duration = Duration::from_millis(50);

/// Connects with the inner connector, and tries again after making room.
#[derive(Debug, Clone)]
pub struct RoomConnector<C> {
    inner: C,
    admission: Arc<Admission>,
    worker: usize,
    to_node: bool,
}

impl<C> RoomConnector<C> {
    /// Creates the connector for the connections of `worker`.
    pub fn new(inner: C, admission: Arc<Admission>, worker: usize) -> Self {
        Self { inner, admission, worker, to_node: false }
    }

    /// Marks connections to other nodes, which carry the requests of many clients.
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
    // Boxed once per connection, not per request.
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let Self { mut inner, admission, worker, to_node } = self.clone();
        // Checked here because another task can poll the future.
        let for_node = to_node || is_for_node();
        Box::pin(async move {
            let spares = admission.spare_descriptors();
            for _ in 1..TRIES {
                // Descriptors for nodes come first: hold them back again before a client gets one.
                if for_node || spares.restore().is_ok() {
                    let result = inner.call(uri.clone()).await;
                    let Some(error) = result.as_ref().err().and_then(exhaustion) else { return result };
                    if for_node && spares.free_outgoing(error) {
                        continue;
                    }
                }
                let Some(closing) = admission.make_room(worker) else { break };
                closing.closed(PATIENCE).await;
            }
            inner.call(uri).await
        })
    }
}

/// Returns the system's error if it had nothing left for the connection.
fn exhaustion(error: &ConnectError) -> Option<&io::Error> {
    error.source()?.downcast_ref::<io::Error>().filter(|error| Exhaustion::is_cause_of(error))
}
