use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;

/// The first allocation of a buffer. Most bodies are short.
const FIRST: usize = 1024;

/// Memory for bodies, with a limit for all of them together. Clones share it, also between threads.
#[derive(Debug, Clone)]
pub struct BufferMemory {
    used: Arc<AtomicUsize>,
    max: usize,
}

impl BufferMemory {
    /// Creates memory for this many bytes.
    pub fn new(max: usize) -> Self {
        Self { used: Arc::default(), max }
    }

    /// The number of bytes in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize) -> bool {
        let more = |used: usize| used.checked_add(bytes).filter(|used| *used <= self.max);
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }
}

impl Default for BufferMemory {
    /// Memory without a limit.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

/// A growing copy of a body. Copied, because the pieces of a slow body may each keep a whole read buffer alive.
#[derive(Debug)]
pub(crate) struct Buffer {
    data: Vec<u8>,
    /// The number of bytes reserved in the memory.
    taken: usize,
    memory: BufferMemory,
    max: usize,
}

impl Buffer {
    /// Creates a buffer for up to `max` bytes.
    pub(crate) fn new(max: usize, memory: BufferMemory) -> Self {
        Self { data: Vec::new(), taken: 0, memory, max }
    }

    /// Adds a piece. Returns `false` if there is no room for it.
    pub(crate) fn add(&mut self, piece: &[u8]) -> bool {
        let Some(length) = self.data.len().checked_add(piece.len()).filter(|length| *length <= self.max) else {
            return false;
        };
        if length > self.taken {
            // Doubles. Nothing is allocated for a declared length: a client that only announces a body takes no memory.
            let capacity = length.max(self.taken.saturating_mul(2)).max(FIRST).min(self.max);
            if !self.memory.take(capacity - self.taken) {
                return false;
            }
            self.taken = capacity;
            self.data.reserve_exact(capacity - self.data.len());
        }
        self.data.extend_from_slice(piece);
        true
    }

    /// The data. Its memory counts as in use until all clones are dropped.
    pub(crate) fn into_bytes(self) -> Bytes {
        if self.data.is_empty() { Bytes::new() } else { Bytes::from_owner(self) }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.memory.used.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_takes_memory_as_it_grows_until_its_data_is_dropped() {
        let memory = BufferMemory::new(10_000);
        let mut buffer = Buffer::new(3000, memory.clone());
        let mut used = Vec::new();
        for _ in 0..3 {
            assert!(buffer.add(&[1; 1000]));
            used.push(memory.used());
        }
        assert_eq!(used, [1024, 2048, 3000]);
        assert!(!buffer.add(&[1]));
        let data = buffer.into_bytes();
        let copy = data.slice(1..);
        drop(data);
        assert_eq!((copy.len(), memory.used()), (2999, 3000));
        drop(copy);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn all_buffers_together_have_a_limit() {
        let memory = BufferMemory::new(2048);
        let [mut first, mut second] = [(); 2].map(|()| Buffer::new(4096, memory.clone()));
        assert!(first.add(&[1; 1024]) && second.add(&[1; 1024]));
        assert!(!first.add(&[1]));
        drop(second);
        assert!(first.add(&[1]));
        assert_eq!(memory.used(), 2048);
        drop(first);
        assert_eq!(memory.used(), 0);
    }
}
