use std::{fmt, future::Future, pin::Pin, sync::Arc};

type Attempt = Pin<Box<dyn Future<Output = bool> + Send>>;

/// That an endpoint could not be connected to, and what tells when it can be again.
///
/// With it, [`Balance`](super::Balance) finds that out beside the requests, in a task of its own.
#[derive(Clone)]
pub struct Unreachable {
    is_timeout: bool,
    connect: Arc<dyn Fn() -> Attempt + Send + Sync>,
}

impl Unreachable {
    /// `connect` tries to make a connection, and says whether it has; it should keep it for a request. `is_timeout`:
    /// the failure took as long as it may, and the next is expected to.
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
