//! Keys at a URL.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use pmesh_layers::jwt::SharedKeys;
use tokio::time::sleep;

use super::fetch::Client;
use crate::telemetry::causes::with_causes;

/// How long after a fetch an unknown `kid` causes the next one. A flood of made-up tokens causes no more than these.
const GAP: Duration = Duration::from_secs(10);
/// When to try again after a failure: at first, and at most.
const RETRY: Duration = Duration::from_secs(1);
const MAX_RETRY: Duration = Duration::from_secs(30);

/// The keys at a URL, which a task fetches until this is dropped.
#[derive(Debug)]
pub(super) struct KeyUrl {
    keys: SharedKeys,
    refresh: Duration,
    client: Mutex<Arc<Client>>,
    is_started: AtomicBool,
}

impl KeyUrl {
    pub(super) fn new(client: Client, refresh: Duration) -> Self {
        let (client, is_started) = (Mutex::new(Arc::new(client)), AtomicBool::new(false));
        Self { keys: SharedKeys::on_demand(GAP), refresh, client, is_started }
    }

    pub(super) fn keys(&self) -> &SharedKeys {
        &self.keys
    }

    /// Uses this client from the next fetch on.
    pub(super) fn set_client(&self, client: Client) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(client);
    }

    /// Starts the task, once. Must be called in a runtime.
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
    let (mut failure, mut retry, mut is_first) = (None, RETRY, true);
    while let Some(source) = source.upgrade() {
        let client = source.client();
        let (keys, refresh) = (source.keys.clone(), source.refresh);
        // A removed route does not wait for the fetch.
        drop(source);
        let url = client.url();
        let mut count = 0;
        let fetched = keys.update(async { client.fetch().await.inspect(|keys| count = keys.len()) }).await;
        let pause = match fetched {
            Ok(()) => {
                match failure.take() {
                    _ if is_first => tracing::info!(keys = count, "jwt: fetched the keys from {url}"),
                    Some(_) => tracing::info!(keys = count, "jwt: {url} has keys again"),
                    None => tracing::debug!(keys = count, "jwt: fetched the keys from {url} again"),
                }
                (retry, is_first) = (RETRY, false);
                refresh
            }
            Err(error) => {
                let error = with_causes(&error);
                if failure.as_ref() != Some(&error) {
                    let until = match keys.load() {
                        Some(_) => "the old keys stay in use",
                        None => "until there are keys, requests get 503",
                    };
                    tracing::warn!("jwt: cannot fetch the keys from {url}, so {until}: {error}");
                    failure = Some(error);
                }
                let pause = retry.min(refresh);
                retry = (retry * 2).min(MAX_RETRY);
                pause
            }
        };
        tokio::select! {
            () = sleep(pause) => {}
            () = keys.wanted() => {}
        }
    }
}
