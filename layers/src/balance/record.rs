use std::{error::Error, sync::Arc};

use tower::BoxError;

use super::{
    EndpointStats, Failure, Health,
    health::{Fault, Lease, Mark},
};
use crate::{body::WatchResponse, causes::with_causes};

/// Records how the requests of one worker to an endpoint turned out.
///
/// All workers share the health. Each worker has its own `Record`, because each request clones and drops an `Arc` of it.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) health: Health,
    pub(super) stats: Arc<EndpointStats>,
}

impl Record {
    /// Records the start of an attempt.
    pub(super) fn begin(&self) -> Mark {
        self.stats.count_request();
        self.health.mark()
    }

    /// Records the failure of the attempt that started at `began`.
    pub(super) fn failed(&self, began: Mark, lease: Option<&Lease>, failure: &Failure, error: &BoxError) {
        self.count(failure);
        if !failure.is_blameless {
            self.health.failed(began, lease, Fault::Error(&**error), failure.unreachable.clone());
        }
    }

    /// Counts a failure that does not change the health.
    pub(super) fn count(&self, failure: &Failure) {
        if !failure.is_blameless {
            self.stats.count_failure();
        }
    }
}

impl WatchResponse for Record {
    fn broke_off(&self, mark: u64, error: &(dyn Error + 'static)) {
        self.stats.count_failure();
        let cause = with_causes(error.source().unwrap_or(error));
        let fault = format_args!("the response broke off: {cause}");
        self.health.failed(Mark::from_bits(mark), None, Fault::Text(&fault), None);
    }
}
