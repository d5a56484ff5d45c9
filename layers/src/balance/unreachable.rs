use std::{fmt, future::Future, pin::Pin, sync::Arc};

use tower::BoxError;

type Attempt = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

/// A way to reconnect to an endpoint that could not be reached.
///
/// [`Balance`](super::Balance) uses it in a background task, on the runtime on which the request failed, to notice when
/// the endpoint is back.
#[derive(Clone)]
pub struct Unreachable {
    is_timeout: bool,
    connect: Arc<dyn Fn() -> Option<Attempt> + Send + Sync>,
}

impl Unreachable {
    /// Creates it from `connect`, which tries to connect and should keep the connection for a later request.
    ///
    /// The closure is kept until the endpoint has recovered, which may never happen. So it should hold a weak reference
    /// to its pool, and return `None` once the pool has been dropped. Then a request tests the endpoint.
    ///
    /// Set `is_timeout` if connecting timed out, because the next attempt may then take as long.
    pub fn new<F>(is_timeout: bool, connect: impl Fn() -> Option<F> + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        Self { is_timeout, connect: Arc::new(move || Some(Box::pin(connect()?))) }
    }

    pub(super) fn is_timeout(&self) -> bool {
        self.is_timeout
    }

    /// Tries to connect. Returns `None` if there is nothing left to connect with.
    pub(super) async fn try_again(&self) -> Option<Result<(), BoxError>> {
        Some((self.connect)()?.await)
    }
}

impl fmt::Debug for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unreachable").field("is_timeout", &self.is_timeout).finish_non_exhaustive()
    }
}
