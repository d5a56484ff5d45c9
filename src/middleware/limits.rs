//! The `rate_limit` and `max_in_flight` of a route. Their counts survive a reload.

use std::sync::Arc;

use pmesh_layers::{
    max_in_flight::{InFlightCount, MaxInFlightLayer, TooManyInFlight},
    rate_limit::{RateLimitLayer, RateLimited},
};
use tower::{BoxError, util::MapErrLayer};

use crate::{settings::Middleware, telemetry::counters::LimitCounters};

/// The limits of a route. All workers share the counts.
#[derive(Debug, Clone)]
pub struct Limits {
    counters: Arc<LimitCounters>,
    /// The buckets, if the route has a rate limit.
    pub(super) rate_limit: Option<RateLimitLayer>,
    /// The requests in flight, if their number is limited.
    pub(super) max_in_flight: Option<MaxInFlightLayer>,
}

impl Limits {
    /// Whether this middleware has limits.
    pub fn are_set(middleware: &Middleware) -> bool {
        middleware.rate_limit.is_some() || middleware.max_in_flight.is_some()
    }

    /// The limits of this middleware. They take over the requests in flight of the limits `before`, and the buckets if the
    /// rate limit is the same.
    pub fn of(middleware: &Middleware, before: Option<&Self>, counters: &Arc<LimitCounters>) -> Self {
        let buckets = before.and_then(|before| before.rate_limit.as_ref());
        let rate_limit = middleware.rate_limit.as_ref().map(|limit| match buckets {
            Some(buckets) if buckets.limit() == limit => buckets.clone(),
            _ => RateLimitLayer::new(limit.clone()),
        });
        let count = before.and_then(|before| before.max_in_flight.as_ref()).map(MaxInFlightLayer::count);
        let count = count.map_or_else(InFlightCount::new, Clone::clone);
        let max_in_flight = middleware.max_in_flight.map(|max| MaxInFlightLayer::new(max).counted_by(count));
        Self { counters: Arc::clone(counters), rate_limit, max_in_flight }
    }

    /// Whether there are any.
    pub(super) fn are_some(&self) -> bool {
        self.rate_limit.is_some() || self.max_in_flight.is_some()
    }

    /// A layer that counts rejected requests, if there are limits.
    pub(super) fn count_rejected(
        &self,
    ) -> Option<MapErrLayer<impl Fn(BoxError) -> BoxError + Clone + Send + Sync + use<>>> {
        let counters = Arc::clone(&self.counters);
        let count = move |error: BoxError| {
            if error.is::<RateLimited>() {
                counters.rate_limit.add();
            } else if error.is::<TooManyInFlight>() {
                counters.max_in_flight.add();
            }
            error
        };
        self.are_some().then(|| MapErrLayer::new(count))
    }
}
