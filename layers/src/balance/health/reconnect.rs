use tokio::runtime::Handle;
use tower::BoxError;

use crate::balance::Unreachable;

/// How to reconnect to an endpoint that could not be reached, and the runtime of the pool that the connection is for. If
/// another worker opened it, that worker would have to move the bytes of the connection for good.
#[derive(Debug, Clone)]
pub(super) struct Reconnect {
    unreachable: Unreachable,
    runtime: Handle,
}

impl Reconnect {
    /// To be called where the attempt failed. Returns `None` outside a runtime.
    pub(super) fn new(unreachable: Unreachable) -> Option<Self> {
        Some(Self { unreachable, runtime: Handle::try_current().ok()? })
    }

    /// Connects in the background, and calls `then` with the outcome if there is one.
    pub(super) fn start(self, then: impl FnOnce(Result<(), BoxError>, Unreachable) + Send + 'static) {
        let Self { unreachable, runtime } = self;
        runtime.spawn(async move {
            if let Some(outcome) = unreachable.try_again().await {
                then(outcome, unreachable);
            }
        });
    }
}
