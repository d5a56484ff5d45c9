//! Certificates that the authority has issued, for exact names and for names below a wildcard.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use arc_swap::ArcSwapOption;
use lru::LruCache;
use pmesh_layers::host::HostName;
use rustls::ServerConfig;

use super::issuer::{Current, Issuer};

/// The certificate for an exact name. Read without a lock.
#[derive(Debug, Default)]
pub(super) struct IssuedFor(ArcSwapOption<Current>);

impl IssuedFor {
    pub(super) fn config(&self, issuer: &Issuer, name: &HostName, now: SystemTime) -> Option<Arc<ServerConfig>> {
        let current = self.0.load();
        match &*current {
            Some(current) if issuer.is_in_use(current, now) => Some(current.config.clone()),
            // Workers that get here at the same time each issue one. All are valid, the last one is kept, and no worker
            // waits.
            old => {
                let new = issuer.replace(old.clone(), name, now)?;
                self.0.store(Some(new.clone()));
                Some(new.config.clone())
            }
        }
    }
}

/// The certificates for names below a wildcard. Their number is limited: the least recently used one makes room.
///
/// Clients choose these names, so the map grows while it is read. All workers share one lock, which is held for a
/// lookup or an insertion, but never while issuing. That takes 0.1 µs, even if two workers need the lock at the same
/// time; a handshake takes hundreds of times as long.
#[derive(Debug)]
pub(super) struct IssuedBelow(Mutex<LruCache<HostName, Arc<Current>>>);

impl IssuedBelow {
    pub(super) fn new(capacity: NonZeroUsize) -> Self {
        Self(Mutex::new(LruCache::sparse(capacity)))
    }

    pub(super) fn config(&self, issuer: &Issuer, name: &HostName, now: SystemTime) -> Option<Arc<ServerConfig>> {
        let old = self.names().get(name).cloned();
        if let Some(current) = old.as_ref().filter(|current| issuer.is_in_use(current, now)) {
            return Some(current.config.clone());
        }
        let current = issuer.replace(old, name, now)?;
        self.names().put(name.clone(), current.clone());
        Some(current.config.clone())
    }

    fn names(&self) -> MutexGuard<'_, LruCache<HostName, Arc<Current>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::Barrier,
        thread,
        time::{Duration, UNIX_EPOCH},
    };

    use pmesh_layers::identity::Authority;

    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const START: SystemTime = UNIX_EPOCH;

    fn issuer() -> Arc<Issuer> {
        let secret = "1".repeat(64).parse().unwrap();
        Issuer::new(Arc::new(Authority::derive(&secret, "example").unwrap())).unwrap()
    }

    fn below(capacity: usize) -> IssuedBelow {
        IssuedBelow::new(capacity.try_into().unwrap())
    }

    fn name(text: &str) -> HostName {
        text.parse().unwrap()
    }

    type ConfigAt = Box<dyn Fn(SystemTime) -> Option<Arc<ServerConfig>>>;

    /// The two ways to keep certificates, which are tested alike.
    fn keepers() -> [ConfigAt; 2] {
        let (exact, below) = (IssuedFor::default(), below(1));
        let (one, other) = (issuer(), issuer());
        [
            Box::new(move |now| exact.config(&one, &name("a.example"), now)),
            Box::new(move |now| below.config(&other, &name("a.example"), now)),
        ]
    }

    #[test]
    fn a_certificate_is_replaced_when_a_third_of_its_lifetime_is_left() {
        for config in keepers() {
            let first = config(START + 10 * DAY).unwrap();
            // Valid from day 9 to day 100, so replaced after two thirds of 91 days.
            let replaced = START + 9 * DAY + 91 * DAY * 2 / 3;
            let second = Duration::from_secs(1);
            assert!(Arc::ptr_eq(&first, &config(replaced - second).unwrap()));
            let next = config(replaced).unwrap();
            assert!(!Arc::ptr_eq(&first, &next));
            assert!(Arc::ptr_eq(&next, &config(replaced + DAY).unwrap()));
        }
    }

    #[test]
    fn a_certificate_is_replaced_when_the_authority_is_replaced() {
        let (issuer, exact, below) = (issuer(), IssuedFor::default(), below(1));
        let configs = || {
            [exact.config(&issuer, &name("a.example"), START), below.config(&issuer, &name("a.example"), START)]
                .map(Option::unwrap)
        };
        let first = configs();
        issuer.replace_authority(Arc::new(Authority::derive(&"2".repeat(64).parse().unwrap(), "example").unwrap()));
        let second = configs();
        for ((before, after), again) in first.iter().zip(&second).zip(&configs()) {
            assert!(!Arc::ptr_eq(before, after) && Arc::ptr_eq(after, again));
        }
    }

    #[test]
    fn a_certificate_is_replaced_when_the_clock_is_set_back() {
        for config in keepers() {
            let first = config(START + 1000 * DAY).unwrap();
            assert!(Arc::ptr_eq(&first, &config(START + 999 * DAY).unwrap()));
            assert!(!Arc::ptr_eq(&first, &config(START + 10 * DAY).unwrap()));
        }
    }

    #[test]
    fn the_old_certificate_stays_if_none_can_be_issued() {
        for config in keepers() {
            let before_1970 = START - DAY;
            assert!(config(before_1970).is_none());
            let first = config(START).unwrap();
            assert!(Arc::ptr_eq(&first, &config(before_1970).unwrap()));
        }
    }

    #[test]
    fn the_least_recently_used_name_makes_room() {
        let (issuer, below) = (issuer(), below(2));
        let config = |text| below.config(&issuer, &name(text), START).unwrap();
        let (a, b) = (config("a.example"), config("b.example"));
        assert!(Arc::ptr_eq(&a, &config("a.example")));
        let c = config("c.example");
        assert_eq!(below.names().len(), 2);
        assert!(Arc::ptr_eq(&a, &config("a.example")));
        assert!(Arc::ptr_eq(&c, &config("c.example")));
        assert!(!Arc::ptr_eq(&b, &config("b.example")));
        assert_eq!(below.names().len(), 2);
    }

    #[test]
    fn many_threads_at_once_are_all_served() {
        let (issuer, exact, below) = (issuer(), IssuedFor::default(), below(2));
        let barrier = Barrier::new(8);
        thread::scope(|scope| {
            for thread in 0..8 {
                let (issuer, exact, below, barrier) = (&issuer, &exact, &below, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    assert!(exact.config(issuer, &name("a.example"), START).is_some());
                    assert!(below.config(issuer, &name(&format!("{}.example", thread % 4)), START).is_some());
                });
            }
        });
        assert_eq!(below.names().len(), 2);
        let kept = exact.config(&issuer, &name("a.example"), START).unwrap();
        assert!(Arc::ptr_eq(&kept, &exact.config(&issuer, &name("a.example"), START).unwrap()));
    }
}
