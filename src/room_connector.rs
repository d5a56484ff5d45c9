//! Connections to backends when no descriptor is left for one: a client that has nothing in flight gives its own.

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

use crate::{admission::Admission, exhaustion::Exhaustion};

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
}

impl<C> RoomConnector<C> {
    /// For the connections of `worker`.
    pub fn new(inner: C, admission: Arc<Admission>, worker: usize) -> Self {
        Self { inner, admission, worker }
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
        let first = self.inner.call(uri.clone());
        let Self { mut inner, admission, worker } = self.clone();
        Box::pin(async move {
            let mut result = first.await;
            for _ in 1..TRIES {
                let Err(error) = &result else { break };
                if !is_exhaustion(error) {
                    break;
                }
                let Some(leaving) = admission.make_room(worker) else { break };
                leaving.gone(PATIENCE).await;
                result = inner.call(uri.clone()).await;
            }
            result
        })
    }
}

fn is_exhaustion(error: &ConnectError) -> bool {
    error.source().and_then(|source| source.downcast_ref::<io::Error>()).is_some_and(Exhaustion::is_cause_of)
}
