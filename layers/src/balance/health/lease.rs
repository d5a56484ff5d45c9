use tokio::runtime::Handle;

use super::{Health, Mark};
use crate::{balance::Unreachable, causes::with_causes};

/// The exclusive right to find out whether an endpoint is well again, given up on drop.
#[derive(Debug)]
pub(in crate::balance) struct Lease {
    health: Health,
    number: u64,
    began: Mark,
}

impl Lease {
    pub(super) fn new(health: Health, number: u64) -> Self {
        let began = health.mark();
        Self { health, number, began }
    }

    /// Leaves the endpoint alone as after another failure, although it may still respond.
    pub(in crate::balance) fn postpone(&self) {
        self.health.postpone(self);
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.health.give_up(self);
    }
}

/// How to connect again to an endpoint that could not be reached, and the runtime of the pool that the connection is
/// for: one of another worker would have to move its bytes for good.
#[derive(Debug, Clone)]
pub(super) struct Reconnect {
    unreachable: Unreachable,
    runtime: Handle,
}

impl Reconnect {
    /// To be called where the failed attempt was made; `None` without a runtime.
    pub(super) fn new(unreachable: Unreachable) -> Option<Self> {
        Some(Self { unreachable, runtime: Handle::try_current().ok()? })
    }

    /// Connects in the background.
    pub(super) fn start(self, lease: Lease) {
        let Self { unreachable, runtime } = self;
        let finds_out = FindsOut(lease);
        runtime.spawn(async move {
            match unreachable.try_again().await {
                Some(Ok(())) => finds_out.succeeded(),
                Some(Err(error)) => finds_out.failed(|| with_causes(&*error), unreachable),
                None => {}
            }
        });
    }
}

/// If it is dropped without an outcome, there is nothing left to connect with: the runtime has ended, or the pool is gone.
struct FindsOut(Lease);

impl FindsOut {
    fn succeeded(&self) {
        self.0.health.succeeded(self.0.began);
    }

    fn failed(&self, error: impl FnOnce() -> String, unreachable: Unreachable) {
        self.0.health.failed(self.0.began, Some(&self.0), error, Some(unreachable));
    }
}

impl Drop for FindsOut {
    fn drop(&mut self) {
        // After an outcome, the lease is not the current one any more.
        self.0.health.forget_reconnect(&self.0);
    }
}
