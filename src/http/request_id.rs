//! Request ids. Each request has one, for the backend and the log.

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

/// Makes the ids of one worker. An id reveals nothing about other ids, not even how many there are.
#[derive(Debug, Clone)]
pub struct RequestIds {
    /// Each has random keys, and hashes the number of the request to one half of its id.
    halves: [RandomState; 2],
    next: Arc<AtomicU64>,
}

impl RequestIds {
    /// Starts a new sequence.
    pub fn new() -> Self {
        Self { halves: [RandomState::new(), RandomState::new()], next: Arc::default() }
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
        let mut id = [0; 32];
        for (half, digits) in self.halves.iter().zip(id.chunks_exact_mut(16)) {
            base16ct::lower::encode(&half.hash_one(number).to_be_bytes(), digits).ok()?;
        }
        HeaderValue::from_bytes(&id).ok().map(RequestId::new)
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
                let id = next(ids);
                assert_eq!(id.len(), 32);
                // The halves differ as well.
                assert!(seen.insert(id[..16].to_owned()) && seen.insert(id[16..].to_owned()));
            }
        }
    }

    #[test]
    fn each_digit_takes_every_value() {
        let mut ids = RequestIds::new();
        let mut seen = [0_u16; 32];
        // The odds that a digit misses one of its values in 512 ids are below 1 in 10^11.
        for _ in 0..512 {
            for (digit, seen) in next(&mut ids).chars().zip(&mut seen) {
                *seen |= 1 << digit.to_digit(16).expect("a hexadecimal digit");
            }
        }
        assert_eq!(seen, [u16::MAX; 32]);
    }

    fn next(ids: &mut RequestIds) -> String {
        let id = ids.make_request_id(&Request::new(())).expect("an id");
        id.header_value().to_str().expect("text").to_owned()
    }
}
