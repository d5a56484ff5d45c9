use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use super::{
    attempts::Names,
    budget::Budget,
    health::{Health, Probe},
};

/// The endpoints of a [`Balance`](super::Balance), and what is known of them.
#[derive(Debug)]
pub(super) struct Endpoints<S> {
    all: Box<[Endpoint<S>]>,
    names: Names,
    next: AtomicUsize,
    budget: Budget,
}

#[derive(Debug)]
struct Endpoint<S> {
    service: S,
    health: Arc<Health>,
}

impl<S> Endpoints<S> {
    pub(super) fn new<N: Into<String>>(endpoints: impl IntoIterator<Item = (N, S)>) -> Self {
        let (names, services): (Vec<_>, Vec<_>) = endpoints.into_iter().unzip();
        let names = names.into_iter().map(|name| name.into().into_boxed_str()).collect();
        let of = |service| Endpoint { service, health: Arc::new(Health::new()) };
        let all = services.into_iter().map(of).collect();
        Self { all, names, next: AtomicUsize::new(0), budget: Budget::new() }
    }

    /// The next endpoint that is well, or that a probe is due for; when there is none, the one that failed least.
    pub(super) fn turn(&self, repeatable: bool) -> (usize, Option<Probe>) {
        if self.all.len() < 2 {
            return (0, None);
        }
        // Each that is passed over is a turn, so that the others share what it would get.
        for _ in 0..self.all.len() {
            let index = self.next.fetch_add(1, Ordering::Relaxed) % self.all.len();
            let health = &self.all[index].health;
            if health.is_well() {
                return (index, None);
            }
            if let Some(probe) = Health::probe(health, repeatable) {
                return (index, Some(probe));
            }
        }
        (self.after(&Tried::default()).unwrap_or(0), None)
    }

    /// Of those that were not tried the one that has failed least.
    pub(super) fn after(&self, tried: &Tried) -> Option<usize> {
        let count = self.all.len();
        // Beyond what can be remembered, one may be tried twice.
        if count < 2 || tried.count() as usize >= count {
            return None;
        }
        let start = self.next.fetch_add(1, Ordering::Relaxed) % count;
        let untried = (start..start + count).map(|index| index % count).filter(|index| !tried.has(*index));
        untried.min_by_key(|index| self.all[*index].health.failures())
    }

    pub(super) fn is_one(&self) -> bool {
        self.all.len() == 1
    }

    pub(super) fn health(&self, index: usize) -> &Arc<Health> {
        &self.all[index].health
    }

    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.budget
    }
}

impl<S: Clone> Endpoints<S> {
    pub(super) fn service(&self, index: usize) -> Option<S> {
        self.all.get(index).map(|endpoint| endpoint.service.clone())
    }
}

/// Which endpoints a request has been to, of the first 64; and how often it was sent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tried {
    endpoints: u64,
    count: u32,
}

impl Tried {
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
