use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout},
};

use super::Keys;

/// The time limit for requests that wait for an update.
const PATIENCE: Duration = Duration::from_secs(5);

/// The keys of a [`JwtLayer`](super::JwtLayer), which can be replaced at any time. Clones share them.
///
/// If the keys come from a server, an [`on_demand`](Self::on_demand) set says when a token names a key that it does not have:
///
/// ```
/// use std::time::Duration;
/// use pmesh_layers::jwt::{Keys, SharedKeys};
/// use tokio::time::sleep;
/// # use tower::BoxError;
///
/// # async fn fetch() -> Result<Keys, BoxError> { Ok(Keys::from_secret(&[1; 32])?) }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let keys = SharedKeys::on_demand(Duration::from_secs(10));
/// let updated = keys.clone();
/// let task = tokio::spawn(async move {
///     loop {
///         if let Err(error) = updated.update(fetch()).await {
///             eprintln!("the old keys stay in use: {error}");
///         }
///         tokio::select! {
///             () = sleep(Duration::from_secs(300)) => {}
///             () = updated.wanted() => {}
///         }
///     }
/// });
/// # keys.wait().await;
/// # assert_eq!(keys.load().unwrap().len(), 1);
/// # task.abort();
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SharedKeys(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    keys: ArcSwapOption<Keys>,
    demand: Option<Demand>,
}

#[derive(Debug)]
struct Demand {
    gap: Duration,
    state: Mutex<State>,
    wanted: Notify,
    /// Changes when an update ends.
    ended: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether an update is running, or has been asked for.
    pending: bool,
    /// When the last one ended.
    ended: Option<Instant>,
}

impl SharedKeys {
    /// Creates a set with these keys.
    pub fn new(keys: Keys) -> Self {
        Self(Arc::new(Shared { keys: ArcSwapOption::from_pointee(keys), demand: None }))
    }

    /// Creates a set without keys. Until they are [replaced](Self::replace), requests are rejected with
    /// [`JwtRejected::NoKeys`](super::JwtRejected::NoKeys).
    pub fn empty() -> Self {
        Self(Arc::new(Shared { keys: ArcSwapOption::empty(), demand: None }))
    }

    /// Creates a set without keys, for a task that [updates](Self::update) it. Until the first update, requests are rejected with
    /// [`JwtRejected::NoKeys`](super::JwtRejected::NoKeys).
    ///
    /// A token with an unknown `kid` makes the set [want](Self::wanted) an update, unless the last one ended less than `gap` ago.
    /// Its request waits for the update, for up to 5 seconds.
    pub fn on_demand(gap: Duration) -> Self {
        let (state, wanted, ended) = (Mutex::default(), Notify::new(), watch::Sender::new(()));
        let demand = Some(Demand { gap, state, wanted, ended });
        Self(Arc::new(Shared { keys: ArcSwapOption::empty(), demand }))
    }

    /// Replaces the keys, for all requests from now on.
    pub fn replace(&self, keys: Keys) {
        self.0.keys.store(Some(Arc::new(keys)));
    }

    /// The current keys, if there are any.
    pub fn load(&self) -> Option<Arc<Keys>> {
        self.0.keys.load_full()
    }

    /// Replaces the keys with those that `fetch` returns. If it fails, the old keys stay.
    ///
    /// # Errors
    ///
    /// The error of `fetch`.
    pub async fn update<E>(&self, fetch: impl Future<Output = Result<Keys, E>>) -> Result<(), E> {
        // Ends the update even if this future is dropped.
        let _running = self.0.demand.as_ref().map(Demand::begin);
        self.replace(fetch.await?);
        Ok(())
    }

    /// Waits until an update is wanted. Never returns if the set is not [on demand](Self::on_demand).
    pub async fn wanted(&self) {
        let Some(demand) = &self.0.demand else { return std::future::pending().await };
        demand.wanted.notified().await;
        // An update that has ended since then was also for this request.
        while !demand.state().pending {
            demand.wanted.notified().await;
        }
    }

    /// Waits until the set has keys. Never returns if it gets none.
    pub async fn wait(&self) {
        while let (None, Some(demand)) = (self.load(), &self.0.demand) {
            let mut ended = demand.ended.subscribe();
            if self.load().is_none() {
                // Never fails: this set holds the sender.
                let _ = ended.changed().await;
            }
        }
    }

    /// Asks for an update. Returns `None` if the last one was too recent.
    pub(super) fn demand(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        let demand = self.0.demand.as_ref()?;
        let mut ended = demand.ended.subscribe();
        demand.ask().then_some(async move {
            // After a timeout, the request is verified with the present keys.
            let _ = timeout(PATIENCE, ended.changed()).await;
        })
    }
}

impl Demand {
    /// Whether an update is running, or begins now.
    fn ask(&self) -> bool {
        let mut state = self.state();
        if state.pending {
            return true;
        }
        if state.ended.is_some_and(|ended| ended.elapsed() < self.gap) {
            return false;
        }
        state.pending = true;
        self.wanted.notify_one();
        true
    }

    fn begin(&self) -> Running<'_> {
        self.state().pending = true;
        Running(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An update.
#[derive(Debug)]
struct Running<'a>(&'a Demand);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        *self.0.state() = State { pending: false, ended: Some(Instant::now()) };
        self.0.ended.send_replace(());
    }
}
