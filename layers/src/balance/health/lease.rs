use super::{Fault, Health, Mark, TestTrigger};
use crate::balance::Unreachable;

/// The exclusive right to test whether an endpoint has recovered, given up on drop.
#[derive(Debug)]
pub(in crate::balance) struct Lease {
    health: Health,
    number: u64,
    began: Mark,
}

impl Lease {
    fn new(health: Health, number: u64) -> Self {
        let began = health.mark();
        Self { health, number, began }
    }

    /// Makes the endpoint back off as after another failure, although it may still respond.
    pub(in crate::balance) fn postpone(&self) {
        self.health.postpone(self.number);
    }
}

impl Health {
    /// Starts to test whether a failed endpoint has recovered, if it is time to.
    ///
    /// If the endpoint could not be reached, a background task connects to it. Otherwise the caller gets a lease, and its
    /// request is the test.
    pub(in crate::balance) fn start_test(&self, trigger: TestTrigger) -> Option<Lease> {
        let (number, reconnect) = self.lease(trigger)?;
        let lease = Lease::new(self.clone(), number);
        let Some(reconnect) = reconnect else { return Some(lease) };
        let test = BackgroundTest(lease);
        reconnect.start(move |outcome, unreachable| match outcome {
            Ok(()) => test.succeeded(),
            Err(error) => test.failed(Fault::Error(&*error), unreachable),
        });
        None
    }

    /// Records the failure of an attempt that started at `began`.
    pub(in crate::balance) fn failed(
        &self,
        began: Mark,
        lease: Option<&Lease>,
        fault: Fault<'_>,
        unreachable: Option<Unreachable>,
    ) {
        self.count_failure(began, lease.map(|lease| lease.number), fault, unreachable);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.health.give_up(self.number);
    }
}

/// The lease of a background connection. If it is dropped without an outcome, there is nothing left to connect with:
/// the runtime has shut down, or the pool has been dropped.
struct BackgroundTest(Lease);

impl BackgroundTest {
    fn succeeded(&self) {
        self.0.health.succeeded(self.0.began);
    }

    fn failed(&self, fault: Fault<'_>, unreachable: Unreachable) {
        self.0.health.failed(self.0.began, Some(&self.0), fault, Some(unreachable));
    }
}

impl Drop for BackgroundTest {
    fn drop(&mut self) {
        // Does nothing after an outcome, because the lease is no longer the current one.
        self.0.health.forget_reconnect(self.0.number);
    }
}
