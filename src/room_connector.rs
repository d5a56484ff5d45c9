//! Connections to backends when no descriptor is left for one: a client that has nothing in flight gives its own, and for
//! requests of other nodes some are held back.

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

use crate::{admission::Admission, exhaustion::Exhaustion, spares::is_for_node};

/// The new descriptor may go to a connection that is accepted just then, and the next as well.
const TRIES: usize = 8;
/// How long is waited for one that was told to go.
const PATIENCE: Duration = Duration::from_millis(50);

/// Connects as the connector in it, and once more when room was made for it.
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

    /// The connections lead to other nodes, and carry the requests of many.
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
        // Not in the future, which may be polled by a task of its own.
        let for_node = to_node || is_for_node();
        Box::pin(async move {
            let spares = admission.spares();
            for _ in 1..TRIES {
                // What is held back comes before what a client asks for.
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

/// What the system says where it has nothing left for the connection.
fn exhaustion(error: &ConnectError) -> Option<&io::Error> {
    error.source()?.downcast_ref::<io::Error>().filter(|error| Exhaustion::is_cause_of(error))
}
