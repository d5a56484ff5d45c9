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
        let mut id = [0; 32];
        hex(self.worker, &mut id[..16]);
        hex(number, &mut id[16..]);
        HeaderValue::from_bytes(&id).ok().map(RequestId::new)
    }
}

/// Writes a number as 16 hexadecimal digits. `format!` takes ten times as many instructions.
fn hex(number: u64, digits: &mut [u8]) {
    for (index, digit) in digits.iter_mut().rev().enumerate() {
        *digit = b"0123456789abcdef"[(number >> (4 * index) & 0xf) as usize];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_format_would() {
        for number in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX] {
            let mut digits = [0; 16];
            hex(number, &mut digits);
            assert_eq!(digits, format!("{number:016x}").as_bytes());
        }
    }

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
