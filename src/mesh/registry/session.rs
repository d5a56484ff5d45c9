//! One connection to the registry, from start to end.

use std::{sync::Arc, time::Duration};

use async_nats::{
    Client, ConnectOptions, Event,
    jetstream::{
        self,
        kv::{self, Store, Watch},
        stream::StorageType,
    },
};
use futures_util::StreamExt;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tower::BoxError;

use super::{RegistryOptions, keeper::Keeper};
use crate::{settings::Login, telemetry::causes::with_causes};

/// How long NATS can take to respond.
const ANSWER: Duration = Duration::from_secs(5);
/// How long leaving the registry on shutdown can take.
const FAREWELL: Duration = Duration::from_secs(2);
/// A connection without traffic for twice this long counts as lost.
const PING: Duration = Duration::from_secs(10);

/// Why a session with the registry ended.
pub(super) enum End {
    /// Shutdown.
    Stopped,
    /// The session could not be set up.
    NotReached(String),
    /// The session failed after it had been set up.
    Lost(String),
}

/// A connection on which each operation that is needed has succeeded once.
struct Session {
    client: Client,
    store: Store,
    watch: Watch,
    /// Entries with a later revision are live. All others can be older than the connection.
    before: u64,
}

impl Keeper {
    /// Connects, and stays connected as long as possible. The NATS client must not reconnect by itself: the bucket is in
    /// memory and may be gone by then, together with our entry and our watch, so everything has to be set up again.
    pub(super) async fn session(&mut self, stop: &mut watch::Receiver<bool>) -> End {
        let lost = Arc::new(Notify::new());
        let opened = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return End::Stopped,
            opened = self.open(&lost) => opened,
        };
        let mut session = match opened {
            Ok(session) => session,
            Err(error) => return End::NotReached(with_causes(&*error)),
        };
        self.status_log.connected(&self.options.servers);
        self.roster.renew(Instant::now());
        let end = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => End::Stopped,
            () = lost.notified() => End::Lost("the connection was closed".to_owned()),
            error = self.keep(&mut session) => End::Lost(with_causes(&*error)),
        };
        if matches!(end, End::Stopped) {
            // If this fails, the entry soon expires anyway.
            let _ = timeout(FAREWELL, self.leave(&session.store)).await;
        }
        // Otherwise, tasks of the client would keep running.
        let _ = timeout(FAREWELL, session.client.drain()).await;
        end
    }

    /// Connects, and sets up the session. Publishes this node's entry as well, so that any problem shows here.
    async fn open(&mut self, lost: &Arc<Notify>) -> Result<Session, BoxError> {
        let client = connect(&self.options, lost).await?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(ANSWER);
        let store = bucket(&context, &self.options).await?;
        let before = store.stream.get_info().await?.state.last_sequence;
        // The watch fails when NATS has sent nothing for 10 seconds, for example after the bucket was created again.
        let watch = store.watch_with_history(">").await?;
        renew(store.clone(), self.own_entry()?).await?;
        Ok(Session { client, store, watch, before })
    }

    /// Renews this node's entry and handles the entries of other nodes, until something fails.
    async fn keep(&mut self, session: &mut Session) -> BoxError {
        let mut renewal = interval(self.options.timing.renewal.max(Duration::from_millis(1)));
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        renewal.reset();
        // Several times per lifetime, so that expired nodes are dropped soon.
        let mut expiry = interval((self.options.timing.lifetime / 15).max(Duration::from_millis(1)));
        expiry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // In a task, so that entries of other nodes are handled in the meantime.
        let mut renewing = JoinSet::new();
        let mut is_due = false;
        loop {
            tokio::select! {
                entry = session.watch.next() => match entry {
                    Some(Ok(entry)) => self.handle(&entry, entry.revision > session.before),
                    Some(Err(error)) => return error.into(),
                    None => return "NATS stopped sending changes".into(),
                },
                Some(renewed) = renewing.join_next() => match renewed {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return error,
                    Err(error) => return error.into(),
                },
                _ = expiry.tick() => self.expire(),
                _ = renewal.tick() => is_due = true,
                // An error means that the sender is gone.
                changed = self.own.changed(), if self.own.has_changed().is_ok() => is_due |= changed.is_ok(),
            }
            if is_due && renewing.is_empty() {
                let own = match self.own_entry() {
                    Ok(own) => own,
                    Err(error) => return error,
                };
                renewing.spawn(renew(session.store.clone(), own));
                is_due = false;
            }
        }
    }

    /// Removes this node's entry, unless it belongs to a run of the program that has already taken over.
    async fn leave(&self, store: &Store) -> Result<(), BoxError> {
        let Some(entry) = store.entry(self.options.node.as_str()).await? else { return Ok(()) };
        let (announcement, _) = self.options.seal.open(&entry.key, &entry.value)?;
        if self.instance() == Some(announcement.instance) {
            store.delete_expect_revision(&entry.key, Some(entry.revision)).await?;
        }
        Ok(())
    }
}

async fn connect(options: &RegistryOptions, lost: &Arc<Notify>) -> Result<Client, BoxError> {
    let lost = Arc::clone(lost);
    let on_event = move |event| {
        if matches!(event, Event::Disconnected | Event::Closed) {
            lost.notify_one();
        }
        std::future::ready(())
    };
    let servers: Vec<_> = options.servers.servers.iter().map(url).collect();
    let connection = ConnectOptions::new()
        .name(format!("pmesh {}", options.node))
        .connection_timeout(ANSWER)
        .request_timeout(Some(ANSWER))
        .ping_interval(PING)
        // One round over the servers. After that, we reconnect ourselves.
        .max_reconnects(servers.len())
        .event_callback(on_event);
    // Not in the addresses, because the client logs those.
    let connection = match options.servers.login.clone() {
        Some(Login::User(user, password)) => connection.user_and_password(user, password.expose().to_owned()),
        Some(Login::Token(token)) => connection.token(token.expose().to_owned()),
        None => connection,
    };
    Ok(connection.connect(servers).await?)
}

fn url((tls, address): &(bool, crate::settings::endpoint::HostPort)) -> String {
    let scheme = if *tls { "tls" } else { "nats" };
    format!("{scheme}://{address}")
}

/// Opens the bucket, or creates it if it is missing.
async fn bucket(context: &jetstream::Context, options: &RegistryOptions) -> Result<Store, BoxError> {
    // If something else is wrong, creating it fails as well.
    if let Ok(store) = context.get_key_value(&options.bucket).await {
        return Ok(store);
    }
    let config = kv::Config {
        bucket: options.bucket.clone(),
        description: "pmesh nodes".to_owned(),
        history: 1,
        max_age: options.timing.lifetime,
        // Entries are useless after their lifetime anyway.
        storage: StorageType::Memory,
        ..kv::Config::default()
    };
    Ok(context.create_key_value(config).await?)
}

/// Writes this node's entry, if there is one.
async fn renew(store: Store, own: Option<(String, Vec<u8>)>) -> Result<(), BoxError> {
    if let Some((key, value)) = own {
        store.put(key, value.into()).await?;
    }
    Ok(())
}
