use std::{
    fmt,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    Attempts, Classify, EndpointStats, Health,
    attempts::Names,
    budget::Budget,
    health::{Lease, Mark, TestTrigger},
    record::Record,
};
use crate::conn::Ties;

/// An endpoint: its name, the service that sends requests to it, and its health. Clones share the health.
#[derive(Debug, Clone)]
pub struct Endpoint<S> {
    name: Arc<str>,
    service: S,
    record: Arc<Record>,
}

impl<S> Endpoint<S> {
    /// Creates an endpoint that is assumed to be healthy. The name appears in [`EndpointError`](super::EndpointError) and
    /// [`Attempts`](super::Attempts).
    pub fn new(name: impl Into<Arc<str>>, service: S) -> Self {
        Self::with_health(name, service, Health::new())
    }

    /// Creates an endpoint with an existing [`Health`], which it can share with other workers or an older configuration.
    pub fn with_health(name: impl Into<Arc<str>>, service: S, health: Health) -> Self {
        Self { name: name.into(), service, record: Arc::new(Record { health, stats: Arc::default() }) }
    }

    /// Uses `stats` as counters, for example to continue those of an older configuration.
    #[must_use]
    pub fn with_stats(self, stats: Arc<EndpointStats>) -> Self {
        Self { record: Arc::new(Record { health: self.record.health.clone(), stats }), ..self }
    }

    /// The health of the endpoint, as observed by requests.
    pub fn health(&self) -> &Health {
        &self.record.health
    }

    /// Counters of the requests sent through this endpoint and its clones.
    pub fn stats(&self) -> &Arc<EndpointStats> {
        &self.record.stats
    }

    /// The service.
    pub fn service(&self) -> &S {
        &self.service
    }

    /// Returns the same endpoint, with the same health, but another service.
    pub fn with<T>(&self, service: T) -> Endpoint<T> {
        Endpoint { name: Arc::clone(&self.name), service, record: Arc::clone(&self.record) }
    }
}

/// The round robin and the retry budget of balances whose endpoints differ from request to request. Clones share them.
///
/// ```
/// use std::convert::Infallible;
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Empty;
/// use pmesh_layers::{balance::{Endpoint, Rotation}, body::{RequestBody, ResponseBody}};
/// use tower::{ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tower::BoxError> {
/// let service = |name: &'static str| {
///     service_fn(move |_: Request<RequestBody>| std::future::ready(Ok::<_, Infallible>(Response::new(ResponseBody::from(name)))))
/// };
/// let rotation = Rotation::new();
/// let near = Endpoint::new("near", service("near"));
/// // For this request there is a second endpoint, in case the first one fails.
/// let far = near.with(service("far"));
/// let balance = rotation.balance(vec![near], vec![far]);
/// balance.oneshot(Request::new(Empty::<Bytes>::new())).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Rotation(Arc<Turns>);

/// Turn counters and the retry budget.
///
/// Each kind of choice has its own counter. If two kinds shared a counter and alternated, each could get the same
/// endpoint every time.
#[derive(Debug, Default)]
struct Turns {
    first: AtomicUsize,
    then: AtomicUsize,
    again: AtomicUsize,
    budget: Budget,
}

impl Rotation {
    /// Creates a rotation.
    pub fn new() -> Self {
        Self::default()
    }
}

/// The endpoints of a [`Balance`](super::Balance).
#[derive(Clone)]
pub(super) struct Endpoints<S> {
    all: Box<[Endpoint<S>]>,
    /// The number of endpoints at the start of `all` that are tried before the others.
    preferred: usize,
    names: Names,
    rotation: Rotation,
    /// Whether errors return requests that can be sent again.
    pub(super) returns_requests: bool,
    pub(super) classify: Option<Arc<dyn Classify>>,
}

impl<S: fmt::Debug> fmt::Debug for Endpoints<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoints").field("all", &self.all).field("preferred", &self.preferred).finish_non_exhaustive()
    }
}

impl<S> Endpoints<S> {
    /// Endpoints in `then` come after those in `first`.
    pub(super) fn new(first: Vec<Endpoint<S>>, then: Vec<Endpoint<S>>, rotation: Rotation) -> Self {
        let preferred = first.len();
        let all: Box<[_]> = first.into_iter().chain(then).collect();
        let names = all.iter().map(|endpoint| Arc::clone(&endpoint.name)).collect();
        Self { all, preferred, names, rotation, returns_requests: false, classify: None }
    }

    /// Returns the next endpoint that is healthy or due for a test. If there is none, returns the one with the fewest
    /// failures, unless connections to all of them time out. Drained endpoints are left out.
    pub(super) fn turn(&self, repeatable: bool) -> Turn {
        let count = self.all.len();
        if count < 2 {
            let is_drained = self.all.first().is_some_and(|endpoint| endpoint.health().is_drained());
            return if is_drained { Turn::AllDrained } else { Turn::Healthy(0) };
        }
        let Turns { first, then, .. } = &*self.rotation.0;
        let found = self.turn_of(0..self.preferred, first, repeatable);
        if let Some(turn) = found.or_else(|| self.turn_of(self.preferred..count, then, repeatable)) {
            return turn;
        }
        for health in self.all.iter().map(Endpoint::health).filter(|health| health.mark().is_black_hole()) {
            // A black hole never gives out a lease: a background task connects to it.
            let _none = health.start_test(TestTrigger::LastResort);
        }
        match self.after(&Tried::default()) {
            Some(index) => Turn::Healthy(index),
            None if self.all.iter().all(|endpoint| endpoint.health().is_drained()) => Turn::AllDrained,
            None => Turn::NoneReachable,
        }
    }

    /// Returns the endpoint to which the client has its own connection, if that endpoint is healthy.
    pub(super) fn tied(&self, ties: &Ties) -> Option<usize> {
        ties.endpoint(&self.names).filter(|index| self.health(*index).is_healthy())
    }

    fn turn_of(&self, tier: Range<usize>, counter: &AtomicUsize, repeatable: bool) -> Option<Turn> {
        let trigger = if repeatable { TestTrigger::Repeatable } else { TestTrigger::Unrepeatable };
        // An endpoint that is skipped loses its turn, so that the others share it.
        for _ in tier.clone() {
            let index = tier.start + next(counter) % tier.len();
            let health = self.health(index);
            if health.is_healthy() {
                return Some(Turn::Healthy(index));
            }
            if let Some(lease) = health.start_test(trigger) {
                return Some(Turn::OnTrial(index, lease));
            }
        }
        None
    }

    /// Returns an untried endpoint: healthy ones first, then preferred ones, then those with the fewest failures.
    /// Drained endpoints and those whose connections time out are left out.
    pub(super) fn after(&self, tried: &Tried) -> Option<usize> {
        let count = self.all.len();
        // If there are too many endpoints to remember, one may be tried twice.
        if count < 2 || tried.count() as usize >= count {
            return None;
        }
        let start = next(&self.rotation.0.again) % count;
        let untried = (start..start + count).map(|index| index % count).filter(|index| !tried.has(*index));
        let marked = untried.map(|index| (index, self.health(index).mark()));
        let least_failed = marked
            .filter(|(_, mark)| !mark.is_black_hole() && !mark.is_drained())
            .min_by_key(|(index, mark)| (!mark.is_healthy(), *index >= self.preferred, mark.failures()));
        least_failed.map(|(index, _)| index)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether all other endpoints are drained, and this one is not.
    pub(super) fn is_only(&self, index: usize) -> bool {
        let is_drained = |one: &Endpoint<S>| one.health().is_drained();
        self.all.iter().enumerate().all(|(other, endpoint)| is_drained(endpoint) == (other != index))
    }

    pub(super) fn health(&self, index: usize) -> &Health {
        &self.record(index).health
    }

    pub(super) fn record(&self, index: usize) -> &Arc<Record> {
        &self.all[index].record
    }

    /// Records the start of an attempt at the endpoint with this index.
    pub(super) fn begin(&self, index: usize, attempts: Option<&Attempts>) -> Mark {
        if let Some(attempts) = attempts {
            attempts.record(&self.names, index);
        }
        self.record(index).begin()
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.rotation.0.budget
    }
}

impl<S: Clone> Endpoints<S> {
    pub(super) fn service(&self, index: usize) -> Option<S> {
        self.all.get(index).map(|endpoint| endpoint.service.clone())
    }
}

fn next(counter: &AtomicUsize) -> usize {
    counter.fetch_add(1, Ordering::Relaxed)
}

/// The endpoint whose turn it is.
#[derive(Debug)]
pub(super) enum Turn {
    Healthy(usize),
    /// A failed endpoint: the request tests whether it has recovered.
    OnTrial(usize, Lease),
    /// No endpoint: connections to all of them time out.
    NoneReachable,
    /// None: all endpoints are drained.
    AllDrained,
}

/// Which of the first 64 endpoints a request was sent to, and the number of attempts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tried {
    endpoints: u64,
    count: u32,
}

impl Tried {
    pub(super) fn only(index: usize) -> Self {
        Self { endpoints: Self::bit(index), count: 1 }
    }

    pub(super) fn add(&mut self, index: usize) {
        self.endpoints |= Self::bit(index);
        self.count += 1;
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    fn has(&self, index: usize) -> bool {
        self.endpoints & Self::bit(index) != 0
    }

    fn bit(index: usize) -> u64 {
        u32::try_from(index).ok().and_then(|index| 1_u64.checked_shl(index)).unwrap_or(0)
    }
}
