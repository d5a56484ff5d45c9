use std::{fmt, future::Future, pin::Pin, sync::Arc};

type Attempt = Pin<Box<dyn Future<Output = bool> + Send>>;

/// A way to try connecting again to an endpoint that could not be reached.
///
/// [`Balance`](super::Balance) uses it in a background task to find out when the endpoint is back.
#[derive(Clone)]
pub struct Unreachable {
    is_timeout: bool,
    connect: Arc<dyn Fn() -> Attempt + Send + Sync>,
}

impl Unreachable {
    /// Creates it from `connect`, which tries to connect and returns whether it succeeded. It should keep the
    /// connection for a request.
    ///
    /// `is_timeout` says that the connection timed out, so that another attempt is expected to take as long.
    pub fn new<F>(is_timeout: bool, connect: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = bool> + Send + 'static,
    {
        Self { is_timeout, connect: Arc::new(move || Box::pin(connect())) }
    }

    pub(super) fn is_timeout(&self) -> bool {
        self.is_timeout
    }

    pub(super) async fn try_again(&self) -> bool {
        (self.connect)().await
    }
}

impl fmt::Debug for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unreachable").field("is_timeout", &self.is_timeout).finish_non_exhaustive()
    }
}
