use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{HeaderName, HeaderValue, Method, Request, header::UPGRADE};

use super::MirrorStats;
use crate::{body::RequestBody, buffer_body::BufferMemory, max_in_flight::InFlightCount, stream_kind::is_two_way};

/// What all clones of a layer share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) percent: usize,
    /// The number of requests so far.
    pub(super) requests: Arc<AtomicUsize>,
    pub(super) max_body: usize,
    pub(super) memory: BufferMemory,
    pub(super) max_in_flight: usize,
    pub(super) count: InFlightCount,
    pub(super) header: Option<(HeaderName, HeaderValue)>,
    pub(super) timeout: Duration,
    pub(super) stats: Arc<MirrorStats>,
}

impl Shared {
    /// Whether to copy the next request, if the limits allow it.
    pub(super) fn is_mirrored(&self, request: &Request<RequestBody>) -> bool {
        let can_be = request.method() != Method::CONNECT
            && !request.headers().contains_key(UPGRADE)
            && !is_two_way(request.headers());
        can_be && is_chosen(self.requests.fetch_add(1, Ordering::Relaxed), self.percent)
    }
}

/// Whether the request with this number is copied. 37 and 100 have no common factor, so exactly `percent` of a hundred
/// consecutive requests are copied, and the choice does not follow short patterns in the requests.
fn is_chosen(index: usize, percent: usize) -> bool {
    index % 100 * 37 % 100 < percent
}
