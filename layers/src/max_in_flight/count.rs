use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// The number of requests in flight, which several layers can share. Its clones are the same count.
#[derive(Debug, Clone, Default)]
pub struct InFlightCount(Arc<AtomicUsize>);

impl InFlightCount {
    /// Creates a count of no requests.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many requests are in flight.
    pub fn value(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one more, unless there are `max` already.
    pub(crate) fn add(&self, max: usize) -> Option<Counted> {
        let more = |count| (count < max).then_some(count + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Counted(Arc::new(One(self.clone()))))
    }
}

/// A request in flight, until all clones are dropped. A request for an upgrade has one as an extension, for its tunnel to
/// keep.
#[derive(Debug, Clone)]
pub(crate) struct Counted(#[expect(dead_code, reason = "kept to be dropped")] Arc<One>);

#[derive(Debug)]
struct One(InFlightCount);

impl Drop for One {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
