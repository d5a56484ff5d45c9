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

/// How long the addresses of a name are used without another look-up.
const KEPT: Duration = Duration::from_secs(1);
/// How many names are looked up at a time. With the system's resolver, each takes a thread.
const MAX_LOOKUPS: usize = 32;

/// A host name to look up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// The name, as it stands in the URI.
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
/// A name is looked up once at a time: whoever asks meanwhile shares the result or the error, and a look-up goes on when
/// all who asked for it have left. At most 32 names are looked up at a time; the others wait. Addresses are used for a
/// second, so that a burst of connections takes one look-up; an error is not kept.
///
/// The resolver is a tower service of [`Name`]s: the [system's](Self::system), or any other, such as one that asks a DNS
/// server of your own. A port of 0 in its addresses stands for the port of the URI.
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
/// Cloning counts a reference; clones share their look-ups, also between runtimes.
#[derive(Clone)]
pub struct Resolver {
    shared: Arc<Shared>,
}

struct Shared {
    service: BoxCloneSyncService<Name, Vec<SocketAddr>, BoxError>,
    /// The look-ups under way, and those that have just succeeded.
    lookups: Mutex<HashMap<Name, watch::Receiver<Option<Answer>>>>,
    permits: Semaphore,
}

/// What became of a look-up.
pub(super) type Answer = Result<Arc<[SocketAddr]>, Arc<dyn Error + Send + Sync>>;

impl Resolver {
    /// Asks the system (`getaddrinfo`), on a thread for blocking calls.
    pub fn system() -> Self {
        Self::new(tower::service_fn(async |name: Name| {
            let addresses = tokio::net::lookup_host((name.as_str(), 0)).await?;
            std::io::Result::Ok(addresses.collect::<Vec<_>>())
        }))
    }

    /// Asks `service`. A look-up has no deadline of its own: a service that may hang needs one, or nobody asks it for that
    /// name again.
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

    /// The addresses of `name`. It has no deadline.
    pub(super) async fn resolve(&self, name: &str) -> Answer {
        let mut lookup = self.lookup(name);
        let answer = lookup.wait_for(Option::is_some).await;
        answer.ok().and_then(|answer| answer.clone()).unwrap_or_else(|| Err(Arc::new(GivenUp)))
    }

    /// The look-up that is under way, or a new one.
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
        // A runtime that is shutting down drops it here and now, which takes the lock.
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
        // Never closed.
        let _permit = entry.shared.permits.acquire().await;
        entry.shared.service.clone().oneshot(entry.name.clone()).await
    };
    let is_kept = answer.is_ok();
    sender.send_replace(Some(answer.map(Into::into).map_err(Arc::from)));
    if is_kept {
        sleep(KEPT).await;
    }
}

/// The place of a look-up in the map. It is left also when the resolver panics or its runtime ends.
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

/// A look-up whose resolver panicked, or whose runtime has ended.
#[derive(Debug, thiserror::Error)]
#[error("the look-up has ended without an answer")]
struct GivenUp;

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::{task::yield_now, time::timeout};

    use super::*;

    /// A resolver that takes so long for each name, with the look-ups that it has begun and ended.
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
    async fn one_look_up_serves_all_who_ask_meanwhile() {
        let (resolver, counts) = counting(Duration::from_secs(5));
        for (name, expected) in [("a", "Ok([10.0.0.1:0])"), ("missing", "Err(\"no missing, 1\")")] {
            let asking: Vec<_> = (0..100)
                .map(|_| {
                    let resolver = resolver.clone();
                    tokio::spawn(async move { resolver.resolve(name).await })
                })
                .collect();
            for asked in asking {
                let answer = asked.await.unwrap().map_err(|error| error.to_string());
                assert_eq!(format!("{answer:?}"), expected);
            }
        }
        assert_eq!(loaded(&counts), [2, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_up_goes_on_without_those_who_asked_for_it() {
        let (resolver, counts) = counting(Duration::from_secs(5));
        for _ in 0..4 {
            assert!(timeout(Duration::from_secs(1), resolver.resolve("a")).await.is_err());
        }
        assert!(resolver.resolve("a").await.is_ok());
        assert_eq!(loaded(&counts), [1, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_are_kept_for_a_second_and_errors_not_at_all() {
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
    async fn so_many_names_are_looked_up_at_a_time() {
        let (resolver, counts) = counting(Duration::from_secs(5));
        let asking: Vec<_> = (0..100)
            .map(|number| {
                let resolver = resolver.clone();
                tokio::spawn(async move { resolver.resolve(&number.to_string()).await })
            })
            .collect();
        for _ in 0..4 {
            yield_now().await;
        }
        assert_eq!(loaded(&counts), [MAX_LOOKUPS, 0]);
        for asked in asking {
            asked.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_resolver_that_panics_is_asked_again() {
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
