use std::{
    borrow::Borrow,
    collections::HashMap,
    error::Error,
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Semaphore, watch},
    time::sleep,
};
use tower::{BoxError, Service, ServiceExt, util::BoxCloneSyncService};

/// How long the addresses of a name are reused.
const KEPT: Duration = Duration::from_secs(1);
/// Maximum number of concurrent lookups. With the system's resolver, each takes a thread.
const MAX_LOOKUPS: usize = 32;

/// A host name to look up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// Returns the name as written in the URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Looks up the addresses of host names, for the connections of a [`SourceConnector`](super::SourceConnector).
///
/// Concurrent requests for a name share one lookup, and its result or error. A lookup continues even if nobody waits
/// for it any more. At most 32 names are looked up at a time; others wait. Addresses are reused for one second, so that
/// a burst of connections takes a single lookup. Errors are not kept.
///
/// Names are resolved by a tower service: the [system's resolver](Self::system), or any other service from [`Name`] to
/// addresses, such as one that queries your own DNS server. A port of 0 in an address stands for the port of the URI.
///
/// ```
/// use std::net::SocketAddr;
/// use pmesh_layers::connect::{Name, Resolver, SourceConnector};
/// use tower::service_fn;
///
/// let resolver = Resolver::new(service_fn(async |name: Name| match name.as_str() {
///     "backend.internal" => Ok(vec![SocketAddr::from(([10, 0, 0, 1], 0)), SocketAddr::from(([10, 0, 0, 2], 0))]),
///     _ => Err("there is no such name"),
/// }));
/// let connector = SourceConnector::new().resolver(resolver);
/// ```
///
/// Cloning only increments a reference count. Clones share their lookups, even across runtimes.
#[derive(Clone)]
pub struct Resolver {
    shared: Arc<Shared>,
}

struct Shared {
    service: BoxCloneSyncService<Name, Vec<SocketAddr>, BoxError>,
    /// Lookups that are under way or have just succeeded.
    lookups: Mutex<HashMap<Name, watch::Receiver<Option<Answer>>>>,
    permits: Semaphore,
}

/// The result of a lookup.
pub(super) type Answer = Result<Arc<[SocketAddr]>, Arc<dyn Error + Send + Sync>>;

impl Resolver {
    /// Creates a resolver that calls the system's (`getaddrinfo`) on a thread for blocking calls.
    ///
    /// A lookup cannot be cancelled. If a name server does not answer, it takes as long as `timeout` and `attempts` in
    /// resolv.conf(5) allow, about 10 s for each server by default. While 32 lookups wait that long, all other names
    /// have to wait too. Use [`new`](Self::new) with an asynchronous resolver if names come from servers that may fail.
    pub fn system() -> Self {
        Self::new(tower::service_fn(async |name: Name| {
            let addresses = tokio::net::lookup_host((name.as_str(), 0)).await?;
            std::io::Result::Ok(addresses.collect::<Vec<_>>())
        }))
    }

    /// Creates a resolver that looks up names with `service`.
    ///
    /// A lookup has no deadline. A service that can hang needs its own, or the name is never looked up again.
    pub fn new<S>(service: S) -> Self
    where
        S: Service<Name> + Clone + Send + Sync + 'static,
        S::Response: IntoIterator<Item = SocketAddr>,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        let service = service.map_response(|addresses: S::Response| addresses.into_iter().collect());
        let service = BoxCloneSyncService::new(service.map_err(Into::into));
        let (lookups, permits) = (Mutex::default(), Semaphore::new(MAX_LOOKUPS));
        Self { shared: Arc::new(Shared { service, lookups, permits }) }
    }

    /// Resolves `name`, without a deadline.
    pub(super) async fn resolve(&self, name: &str) -> Answer {
        let mut lookup = self.lookup(name);
        let answer = lookup.wait_for(Option::is_some).await;
        answer.ok().and_then(|answer| answer.clone()).unwrap_or_else(|| Err(Arc::new(GivenUp)))
    }

    /// The current lookup of `name`, or a new one.
    fn lookup(&self, name: &str) -> watch::Receiver<Option<Answer>> {
        let (sender, receiver, entry) = {
            let mut lookups = self.shared.lock();
            if let Some(lookup) = lookups.get(name) {
                return lookup.clone();
            }
            let (sender, receiver) = watch::channel(None);
            let name = Name(name.into());
            lookups.insert(name.clone(), receiver.clone());
            (sender, receiver, Entry { name, shared: Arc::clone(&self.shared) })
        };
        // Not under the lock: a runtime that is shutting down drops the task at once, and `Entry` takes the lock on
        // drop.
        tokio::spawn(look_up(entry, sender));
        receiver
    }
}

impl Default for Resolver {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver").field("lookups", &self.shared.lookups).finish_non_exhaustive()
    }
}

async fn look_up(entry: Entry, sender: watch::Sender<Option<Answer>>) {
    let answer = {
        // The semaphore is never closed.
        let _permit = entry.shared.permits.acquire().await;
        entry.shared.service.clone().oneshot(entry.name.clone()).await
    };
    let is_kept = answer.is_ok();
    sender.send_replace(Some(answer.map(Into::into).map_err(Arc::from)));
    if is_kept {
        sleep(KEPT).await;
    }
}

/// The entry of a lookup in the map. Dropping removes it, even if the resolver panics or its runtime ends.
struct Entry {
    name: Name,
    shared: Arc<Shared>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shared.lock().remove(&self.name);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<Name, watch::Receiver<Option<Answer>>>> {
        self.lookups.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The error of a lookup whose resolver panicked or whose runtime ended.
#[derive(Debug, thiserror::Error)]
#[error("the lookup ended without an answer")]
struct GivenUp;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::{task::yield_now, time::timeout};

    use super::*;

    /// A resolver that takes this long for each name, with counters of lookups started and finished.
    fn counting(takes: Duration) -> (Resolver, Arc<[AtomicUsize; 2]>) {
        let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
        let counted = Arc::clone(&counts);
        let resolver = Resolver::new(tower::service_fn(move |name: Name| {
            let counted = Arc::clone(&counted);
            async move {
                let number = counted[0].fetch_add(1, Ordering::Relaxed);
                sleep(takes).await;
                counted[1].fetch_add(1, Ordering::Relaxed);
                if name.as_str() == "missing" {
                    return Err(format!("no {name}, {number}"));
                }
                Ok([SocketAddr::from(([10, 0, 0, 1], u16::try_from(number).unwrap()))])
            }
        }));
        (resolver, counts)
    }

    fn loaded(counts: &[AtomicUsize; 2]) -> [usize; 2] {
        [counts[0].load(Ordering::Relaxed), counts[1].load(Ordering::Relaxed)]
    }

    #[tokio::test(start_paused = true)]
    async fn concurrent_requests_share_one_lookup() {
        let (resolver, counts) = counting(Duration::from_secs(5));
        for (name, expected) in [("a", "Ok([10.0.0.1:0])"), ("missing", "Err(\"no missing, 1\")")] {
            let tasks: Vec<_> = (0..100)
                .map(|_| {
                    let resolver = resolver.clone();
                    tokio::spawn(async move { resolver.resolve(name).await })
                })
                .collect();
            for task in tasks {
                let answer = task.await.unwrap().map_err(|error| error.to_string());
                assert_eq!(format!("{answer:?}"), expected);
            }
        }
        assert_eq!(loaded(&counts), [2, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_continues_when_nobody_waits() {
        let (resolver, counts) = counting(Duration::from_secs(5));
        for _ in 0..4 {
            assert!(timeout(Duration::from_secs(1), resolver.resolve("a")).await.is_err());
        }
        assert!(resolver.resolve("a").await.is_ok());
        assert_eq!(loaded(&counts), [1, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_are_kept_for_a_second_and_errors_are_not() {
        let (resolver, counts) = counting(Duration::ZERO);
        for (name, first, soon, later) in [("a", 1, 1, 2), ("missing", 3, 4, 5)] {
            for (wait, expected) in [(Duration::ZERO, first), (KEPT / 2, soon), (KEPT, later)] {
                sleep(wait).await;
                let _ = resolver.resolve(name).await;
                assert_eq!(loaded(&counts)[0], expected, "{name}");
            }
        }
        sleep(KEPT * 2).await;
        assert!(resolver.shared.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_concurrent_lookups_is_bounded() {
        let (resolver, counts) = counting(Duration::from_secs(5));
        let tasks: Vec<_> = (0..100)
            .map(|number| {
                let resolver = resolver.clone();
                tokio::spawn(async move { resolver.resolve(&number.to_string()).await })
            })
            .collect();
        for _ in 0..4 {
            yield_now().await;
        }
        assert_eq!(loaded(&counts), [MAX_LOOKUPS, 0]);
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_resolver_that_panics_is_called_again() {
        let calls = Arc::new(AtomicUsize::new(0));
        let resolver = Resolver::new(tower::service_fn(move |_: Name| {
            let call = calls.fetch_add(1, Ordering::Relaxed);
            async move {
                assert!(call > 0, "the first one");
                Ok::<_, BoxError>([SocketAddr::from(([10, 0, 0, 1], 0))])
            }
        }));
        assert_eq!(resolver.resolve("a").await.unwrap_err().to_string(), GivenUp.to_string());
        assert!(resolver.resolve("a").await.is_ok());
    }
}
