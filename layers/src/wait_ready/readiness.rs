use std::{
    fmt,
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use tokio::sync::{Notify, futures::Notified};

/// Whether a service is ready for requests, and whether requests need it. Clones are handles to the same state, which threads
/// can share. At first, the service is not ready.
#[derive(Clone, Default)]
pub struct Readiness(Arc<Shared>);

#[derive(Default)]
struct Shared {
    is_ready: AtomicBool,
    is_stopped: AtomicBool,
    /// Requests that wait.
    waiting: AtomicUsize,
    /// Whether a request has come since the service was last ready.
    is_wanted: AtomicBool,
    /// It has become ready, or is stopped.
    changes: Notify,
    becomes_wanted: Notify,
}

/// A request found the service not ready. Returned by [`Readiness::wanted`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted {
    /// How many requests are waiting now.
    pub waiting: usize,
}

impl Readiness {
    /// Creates the state of a service that is not ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether the service is ready. If it is, waiting requests are sent to it.
    pub fn set_ready(&self, is_ready: bool) {
        let Shared { is_wanted, changes, .. } = &*self.0;
        let was_ready = self.0.is_ready.swap(is_ready, Ordering::SeqCst);
        if was_ready != is_ready {
            // Requests from before the change no longer count.
            is_wanted.store(false, Ordering::SeqCst);
        }
        if is_ready {
            changes.notify_waiters();
        }
    }

    /// Says whether the service is stopped, so that it will not become ready by itself. While it is, requests fail at once
    /// instead of waiting, with [`NotReady::Stopped`](super::NotReady::Stopped).
    pub fn set_stopped(&self, is_stopped: bool) {
        let was_stopped = self.0.is_stopped.swap(is_stopped, Ordering::SeqCst);
        if is_stopped && !was_stopped {
            self.0.changes.notify_waiters();
        }
    }

    /// Whether the service is stopped. See [`set_stopped`](Self::set_stopped).
    pub fn is_stopped(&self) -> bool {
        self.0.is_stopped.load(Ordering::Relaxed)
    }

    /// Whether the service is ready.
    pub fn is_ready(&self) -> bool {
        self.0.is_ready.load(Ordering::Relaxed)
    }

    /// How many requests are waiting for the service.
    pub fn waiting(&self) -> usize {
        self.0.waiting.load(Ordering::Relaxed)
    }

    /// Waits until a request finds the service not ready. Returns at once if requests are waiting already. Use it to start
    /// a service only when it is needed.
    pub async fn wanted(&self) -> Wanted {
        let Shared { waiting, is_wanted, becomes_wanted, .. } = &*self.0;
        loop {
            let mut changed = pin!(becomes_wanted.notified());
            changed.as_mut().enable();
            let was_wanted = is_wanted.swap(false, Ordering::SeqCst);
            let waiting = waiting.load(Ordering::SeqCst);
            if was_wanted || waiting > 0 {
                return Wanted { waiting };
            }
            changed.await;
        }
    }

    /// Whether `other` is a clone of this handle.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Wakes [`wanted`](Self::wanted) for a request, unless the service is ready.
    #[inline]
    pub(super) fn want(&self) {
        if !self.is_ready() {
            self.want_unready();
        }
    }

    #[cold]
    fn want_unready(&self) {
        self.0.is_wanted.store(true, Ordering::SeqCst);
        self.0.becomes_wanted.notify_waiters();
    }

    /// Counts a request as waiting, unless `max` requests are waiting already.
    pub(super) fn enter(&self, max: usize) -> Option<Place> {
        let more = |waiting| (waiting < max).then_some(waiting + 1);
        self.0.waiting.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).ok()?;
        Some(Place(self.clone()))
    }

    fn changed(&self) -> Notified<'_> {
        self.0.changes.notified()
    }
}

/// Waits until one of them is ready, and returns true. Returns false once all are stopped.
pub(super) async fn any_ready(all: &[Readiness]) -> bool {
    loop {
        let mut changes: Vec<_> = all.iter().map(|readiness| Box::pin(readiness.changed())).collect();
        // From here on, no change is missed.
        for change in &mut changes {
            change.as_mut().enable();
        }
        if all.iter().any(|readiness| readiness.0.is_ready.load(Ordering::SeqCst)) {
            return true;
        }
        if all.iter().all(|readiness| readiness.0.is_stopped.load(Ordering::SeqCst)) {
            return false;
        }
        poll_fn(|context| {
            let is_changed = changes.iter_mut().any(|change| change.as_mut().poll(context).is_ready());
            if is_changed { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness").field("is_ready", &self.is_ready()).field("waiting", &self.waiting()).finish()
    }
}

/// A waiting request, until dropped.
pub(super) struct Place(Readiness);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
