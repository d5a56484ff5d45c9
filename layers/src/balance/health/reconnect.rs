use tokio::runtime::Handle;
use tower::BoxError;

use crate::balance::Unreachable;

/// How to reconnect to an endpoint that could not be reached, and the runtime of the pool that the connection is for. A
/// connection is served by the runtime that opened it for as long as it lasts, so no other worker should open it.
#[derive(Debug, Clone)]
pub(super) struct Reconnect {
    unreachable: Unreachable,
    runtime: Handle,
}

impl Reconnect {
    /// Must be called on the runtime on which the attempt failed. Returns `None` outside a runtime.
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
