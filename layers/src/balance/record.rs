use std::sync::Arc;

use super::{
    EndpointStats, Health,
    failure::Failure,
    health::{Fault, Lease, Mark},
};

/// Where the requests of one worker write down what has become of them at an endpoint.
///
/// The health is shared by all workers. What counts references for each request belongs to the worker.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) health: Health,
    pub(super) stats: Arc<EndpointStats>,
}

impl Record {
    /// An attempt begins.
    pub(super) fn begin(&self) -> Mark {
        self.stats.count_request();
        self.health.mark()
    }

    /// The attempt that began at `began` has failed.
    pub(super) fn failed<R>(&self, began: Mark, lease: Option<&Lease>, failure: &Failure<R>) {
        self.count(failure);
        if failure.is_endpoint_failure {
            self.health.failed(began, lease, Fault::Error(&*failure.error), failure.unreachable.clone());
        }
    }

    /// Counts a failure that says nothing new about the health.
    pub(super) fn count<R>(&self, failure: &Failure<R>) {
        if failure.is_endpoint_failure {
            self.stats.count_failure();
        }
    }

    /// The body of the response, whose head came at `began`, has broken off.
    pub(super) fn broke_off(&self, began: Mark, error: impl std::fmt::Display) {
        self.stats.count_failure();
        let fault = format_args!("the response broke off: {error}");
        self.health.failed(began, None, Fault::Text(&fault), None);
    }
}
