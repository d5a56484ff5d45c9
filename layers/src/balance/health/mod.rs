//! The health of an endpoint, as observed by requests.

mod fault;
mod lease;
mod mark;
mod outage;
mod reconnect;
mod report;
#[cfg(test)]
mod tests;

use std::{
    collections::hash_map::RandomState,
    error::Error,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::time::Instant;

pub use self::report::{HealthChange, HealthState, LastFailure, Outage};
pub(super) use self::{fault::Fault, lease::Lease, mark::Mark, outage::TestTrigger};
use self::{
    outage::{Known, backoff, millis},
    reconnect::Reconnect,
};
use super::Unreachable;

/// The health of an endpoint, as observed by requests. Clones share the same health.
///
/// Balances on several threads, each with its own runtime, can share it, and it can outlive all of them. Pass it to each
/// with [`Endpoint::with_health`](super::Endpoint::with_health). While the endpoint is healthy, a request only reads one
/// atomic.
///
/// The outcome of an attempt counts only if no other outcome has been counted since the attempt began. Requests that
/// fail together therefore count as one failure, and a response to a request that was sent before the failure does not
/// end the outage.
///
/// ```
/// use std::{convert::Infallible, sync::{Arc, Mutex}};
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use pmesh_layers::{
///     balance::{Endpoint, Health, HealthChange, Rotation},
///     body::{RequestBody, ResponseBody},
/// };
/// use tower::{ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// let log = Arc::new(Mutex::new(Vec::new()));
/// let lines = Arc::clone(&log);
/// let health = Health::with_observer(move |change, _| match change {
///     HealthChange::Failed { error, .. } => lines.lock().unwrap().push(format!("a failed: {error}")),
///     HealthChange::Recovered { failures, .. } => lines.lock().unwrap().push(format!("a is back after {failures}")),
///     _ => {}
/// });
/// let request = || Request::new(Empty::<Bytes>::new());
///
/// // Two balances with the same endpoint, for example of two workers or of an old and a new configuration.
/// let down = service_fn(async |_: Request<RequestBody>| Err::<Response<ResponseBody>, _>("connection refused"));
/// let old = Rotation::new().balance(vec![Endpoint::with_health("a", down, health.clone())], Vec::new());
/// let up = service_fn(async |_: Request<RequestBody>| Ok::<_, Infallible>(Response::new(ResponseBody::empty())));
/// let new = Rotation::new().balance(vec![Endpoint::with_health("a", up, health.clone())], Vec::new());
///
/// assert!(old.oneshot(request()).await.is_err());
/// assert_eq!(health.state().outage.unwrap().failures, 1);
/// assert!(new.oneshot(request()).await.is_ok());
/// assert_eq!(health.state().outage, None);
/// assert_eq!(*log.lock().unwrap(), ["a failed: connection refused", "a is back after 1"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Health(Arc<Shared>);

/// Times are in milliseconds since `since`.
struct Shared {
    since: Instant,
    /// A [`Mark`]. With `quiet_until`, a copy of the state under the lock that requests read without locking.
    mark: AtomicU64,
    /// When the next lease can be given out, for each of [`TestTrigger`].
    quiet_until: [AtomicU64; 3],
    known: Mutex<Known>,
    /// Keeps nodes that saw the endpoint fail at the same time from returning to it at the same time.
    jitter: RandomState,
    observer: Option<Mutex<Observer>>,
}

type Observer = Box<dyn FnMut(&HealthChange, Option<&(dyn Error + 'static)>) + Send>;

impl Health {
    /// Creates the health of a new endpoint, which is assumed to be healthy.
    pub fn new() -> Self {
        Self::with(None)
    }

    /// Like [`new`](Self::new), with an observer.
    ///
    /// The observer is called once for each change, in order, on the thread that noticed it, so it should return
    /// quickly. It can read the [`state`](Self::state). On a failure, it gets the error of the endpoint's service or of
    /// the attempt to reconnect. If a response broke off, there is no error.
    pub fn with_observer(observer: impl FnMut(&HealthChange, Option<&(dyn Error + 'static)>) + Send + 'static) -> Self {
        Self::with(Some(Mutex::new(Box::new(observer))))
    }

    fn with(observer: Option<Mutex<Observer>>) -> Self {
        Self(Arc::new(Shared {
            since: Instant::now(),
            mark: AtomicU64::new(Mark::NEW.bits()),
            quiet_until: Default::default(),
            known: Mutex::default(),
            jitter: RandomState::new(),
            observer,
        }))
    }

    /// Returns the current state.
    pub fn state(&self) -> HealthState {
        let known = self.lock();
        known.state(self.now(), self.mark())
    }

    /// Takes the endpoint out of use: it gets no new requests, not even to test it or as a retry, until
    /// [`resume`](Self::resume).
    ///
    /// Requests in flight can finish. Their outcome no longer changes the health, so an endpoint that is being shut down
    /// does not count as failed. An outage is forgotten. The observer is not called.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::{BodyExt, Empty};
    /// use pmesh_layers::{
    ///     balance::{AllDrained, Endpoint, Health, Rotation},
    ///     body::{RequestBody, ResponseBody},
    /// };
    /// use tower::{ServiceExt, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), tower::BoxError> {
    /// let (blue, green) = (Health::new(), Health::new());
    /// let endpoint = |name: &'static str, health: &Health| {
    ///     let service = service_fn(move |_: Request<RequestBody>| {
    ///         std::future::ready(Ok::<_, Infallible>(Response::new(ResponseBody::from(name))))
    ///     });
    ///     Endpoint::with_health(name, service, health.clone())
    /// };
    /// let balance = Rotation::new().balance(vec![endpoint("blue", &blue), endpoint("green", &green)], Vec::new());
    /// let send = async || balance.clone().oneshot(Request::new(Empty::<Bytes>::new())).await;
    ///
    /// blue.drain();
    /// for _ in 0..3 {
    ///     assert_eq!(send().await?.into_body().collect().await?.to_bytes(), "green");
    /// }
    /// green.drain();
    /// assert!(send().await.unwrap_err().is::<AllDrained>());
    /// blue.resume();
    /// assert_eq!(send().await?.into_body().collect().await?.to_bytes(), "blue");
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain(&self) {
        self.reset(Mark::is_drained, Mark::after_drain);
    }

    /// Puts a drained endpoint back into use. It is healthy, whatever happened before. Does nothing if it is not drained.
    pub fn resume(&self) {
        self.reset(|mark| !mark.is_drained(), Mark::after_recovery);
    }

    /// Whether the endpoint gets no new requests. See [`drain`](Self::drain).
    pub fn is_drained(&self) -> bool {
        self.mark().is_drained()
    }

    /// Whether `other` is a clone of this health.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Forgets an outage and changes the mark, unless `is_set` says that this was done already.
    fn reset(&self, is_set: impl FnOnce(Mark) -> bool, change: impl FnOnce(Mark) -> Mark) {
        let mut known = self.lock();
        let (mark, now) = (self.mark(), self.now());
        if is_set(mark) {
            return;
        }
        let (_, reconnect) = known.recover(now);
        self.publish(change(mark));
        self.publish_times(&known, now);
        drop(known);
        // It may hold connections, which must not be closed under the lock.
        drop(reconnect);
    }

    pub(super) fn mark(&self) -> Mark {
        Mark::from_bits(self.0.mark.load(Ordering::Relaxed))
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.mark().is_healthy()
    }

    /// If a failed endpoint is due for a test, returns the number of a new lease, and how to reconnect if the endpoint
    /// could not be reached.
    fn lease(&self, trigger: TestTrigger) -> Option<(u64, Option<Reconnect>)> {
        let now = self.now();
        if now < self.0.quiet_until[trigger as usize].load(Ordering::Relaxed) {
            return None;
        }
        let mut known = self.lock();
        let number = known.lease(trigger, now)?;
        self.publish_times(&known, now);
        Some((number, known.reconnect()))
    }

    /// Records a response to an attempt that started at `began`. Returns the new state.
    pub(super) fn succeeded(&self, began: Mark) -> Mark {
        let mark = self.mark();
        if mark.is_healthy() || !mark.counts_since(began) { mark } else { self.recover(began) }
    }

    #[cold]
    fn recover(&self, began: Mark) -> Mark {
        let observer = self.observer();
        let mut known = self.lock();
        let mark = self.mark();
        if mark.is_healthy() || !mark.counts_since(began) {
            return mark;
        }
        let (well, failures, now) = (mark.after_recovery(), mark.failures(), self.now());
        let (down_for, reconnect) = known.recover(now);
        self.publish(well);
        self.publish_times(&known, now);
        drop(known);
        // It may hold connections, which must not be closed under the lock.
        drop(reconnect);
        notify(observer, None, || HealthChange::Recovered { down_for, failures });
        well
    }

    /// Records the failure of an attempt that started at `began`, under the lease with this number if it had one.
    fn count_failure(&self, began: Mark, lease: Option<u64>, fault: Fault<'_>, unreachable: Option<Unreachable>) {
        if !self.mark().counts_since(began) {
            return;
        }
        let observer = self.observer();
        let mut known = self.lock();
        let (mark, now) = (self.mark(), self.now());
        if !mark.counts_since(began) || !known.counts_failure(lease, now) {
            return;
        }
        let failed = mark.after_failure(unreachable.as_ref().is_some_and(Unreachable::is_timeout));
        let (failures, error) = (failed.failures(), Arc::<str>::from(fault.text()));
        let backoff = backoff(failures, &self.0.jitter);
        let reconnect = unreachable.and_then(Reconnect::new);
        let old = known.fail(now, Arc::clone(&error), backoff, reconnect);
        self.publish(failed);
        self.publish_times(&known, now);
        drop(known);
        drop(old);
        notify(observer, fault.error(), || match failures {
            1 => HealthChange::Failed { error, backoff },
            _ => HealthChange::FailedAgain { error, backoff, failures },
        });
    }

    /// Gives up a lease without an outcome.
    fn give_up(&self, lease: u64) {
        let mut known = self.lock();
        if known.give_up(lease) {
            self.publish_times(&known, self.now());
        }
    }

    fn postpone(&self, lease: u64) {
        let mut known = self.lock();
        if known.give_up(lease) {
            let now = self.now();
            known.postpone(now, |postponed| backoff(self.mark().failures().saturating_add(postponed), &self.0.jitter));
            self.publish_times(&known, now);
        }
    }

    /// Records that there is nothing left to connect with: the pool has been dropped, or its worker's runtime has shut
    /// down. A request has to test the endpoint instead.
    fn forget_reconnect(&self, lease: u64) {
        let mut known = self.lock();
        if !known.is_leased(lease) {
            return;
        }
        let old = known.take_reconnect();
        self.publish(self.mark().not_a_black_hole());
        self.publish_times(&known, self.now());
        drop(known);
        drop(old);
    }

    /// Must be called with the lock held.
    fn publish(&self, mark: Mark) {
        self.0.mark.store(mark.bits(), Ordering::Relaxed);
    }

    /// Must be called with the lock held.
    fn publish_times(&self, known: &Known, now: u64) {
        for (place, time) in self.0.quiet_until.iter().zip(known.quiet_until(now)) {
            place.store(time, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the observer. This comes before the lock of the state and is held until the change has been reported, so
    /// that changes are reported in order and the observer can read the state.
    fn observer(&self) -> Option<MutexGuard<'_, Observer>> {
        self.0.observer.as_ref().map(|observer| observer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn now(&self) -> u64 {
        millis(self.0.since.elapsed())
    }
}

fn notify(
    observer: Option<MutexGuard<'_, Observer>>,
    error: Option<&(dyn Error + 'static)>,
    change: impl FnOnce() -> HealthChange,
) {
    if let Some(mut observer) = observer {
        observer(&change(), error);
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Health").field(&self.state()).finish()
    }
}
