//! Keys at a URL.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use http::Uri;
use pmesh_layers::jwt::SharedKeys;
use tokio::time::sleep;

use super::fetch::{Client, FetchError};
use crate::telemetry::causes::with_causes;

/// The minimum time between fetches for an unknown `kid`. It bounds the fetches that a flood of forged tokens can cause.
const GAP: Duration = Duration::from_secs(10);
/// The first and the longest pause before a retry after a failure.
const RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_secs(30);

/// The keys at a URL, which a task fetches until this is dropped.
#[derive(Debug)]
pub(super) struct KeyUrl {
    keys: SharedKeys,
    refresh: Duration,
    client: Mutex<Arc<Client>>,
    failure: Arc<Mutex<Option<Failure>>>,
    is_started: AtomicBool,
}

/// Why the keys cannot be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The error.
    pub error: String,
    /// When it first happened.
    pub since: SystemTime,
}

impl KeyUrl {
    pub(super) fn new(client: Client, refresh: Duration) -> Self {
        let client = Mutex::new(Arc::new(client));
        Self { keys: SharedKeys::on_demand(GAP), refresh, client, failure: Arc::default(), is_started: false.into() }
    }

    pub(super) fn keys(&self) -> &SharedKeys {
        &self.keys
    }

    /// Why the last fetch failed, if it did.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Uses this client from the next fetch on.
    pub(super) fn set_client(&self, client: Client) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(client);
    }

    /// Starts the task, if it is not running. Must be called in a runtime.
    pub(super) fn start(this: &Arc<Self>) {
        if !this.is_started.swap(true, Ordering::Relaxed) {
            tokio::spawn(run(Arc::downgrade(this)));
        }
    }

    fn client(&self) -> Arc<Client> {
        Arc::clone(&self.client.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn run(source: Weak<KeyUrl>) {
    let mut retry = RETRY;
    while let Some(source) = source.upgrade() {
        let (client, keys, refresh) = (source.client(), source.keys.clone(), source.refresh);
        let failure = Arc::clone(&source.failure);
        // A removed route does not wait for the fetch.
        drop(source);
        let is_first = keys.load().is_none();
        let fetched = keys.update(client.fetch()).await;
        let count = keys.load().map_or(0, |keys| keys.len());
        let pause = if fetched.is_ok() { refresh } else { retry.min(refresh) };
        retry = if fetched.is_ok() { RETRY } else { (retry * 2).min(MAX_RETRY) };
        record(fetched, &failure, client.url(), count, is_first);
        tokio::select! {
            () = sleep(pause) => {}
            () = keys.wanted() => {}
        }
    }
}

/// Remembers and logs the outcome of a fetch. `count` is how many keys there are now.
fn record(fetched: Result<(), FetchError>, failure: &Mutex<Option<Failure>>, url: &Uri, count: usize, is_first: bool) {
    let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
    let Err(error) = fetched else {
        match failure.take() {
            _ if is_first => tracing::info!(keys = count, "jwt: fetched the keys from {url}"),
            Some(_) => tracing::info!(keys = count, "jwt: {url} has keys again"),
            None => tracing::debug!(keys = count, "jwt: fetched the keys from {url} again"),
        }
        return;
    };
    let error = with_causes(&error);
    if failure.as_ref().is_none_or(|before| before.error != error) {
        let until = if count > 0 { "the old keys stay in use" } else { "until there are keys, requests get 503" };
        tracing::warn!("jwt: cannot fetch the keys from {url}, so {until}: {error}");
        let since = failure.as_ref().map_or_else(SystemTime::now, |before| before.since);
        *failure = Some(Failure { error, since });
    }
}
