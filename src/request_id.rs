//! One id a request, given to the backend and in the log.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{HeaderValue, Request};
use tower_http::request_id::{MakeRequestId, RequestId};

/// Numbers the requests of one worker; the first half of an id is random, made when the worker starts.
#[derive(Debug, Clone)]
pub struct RequestIds {
    worker: u64,
    next: Arc<AtomicU64>,
}

impl RequestIds {
    /// A new sequence.
    pub fn new() -> Self {
        // Keyed by the system's random numbers, as against floods of colliding keys.
        Self { worker: RandomState::new().hash_one(0), next: Arc::default() }
    }
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

impl MakeRequestId for RequestIds {
    fn make_request_id<B>(&mut self, _: &Request<B>) -> Option<RequestId> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = format!("{:016x}{number:016x}", self.worker);
        HeaderValue::try_from(id).ok().map(RequestId::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_differ() {
        let mut ids = [RequestIds::new(), RequestIds::new()];
        let mut seen = std::collections::HashSet::new();
        for _ in 0..100 {
            for ids in &mut ids {
                let id = ids.make_request_id(&Request::new(())).expect("an id");
                assert_eq!(id.header_value().len(), 32);
                assert!(seen.insert(id.into_header_value()));
            }
        }
    }
}
