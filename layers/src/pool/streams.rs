use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::client::conn::http2::SendRequest;
use tokio::time::Instant;

use super::{LOOKS, age::MaxAge};

/// A connection on which a request was given up takes no other if it has had no answer to any for so long: the peer may
/// be gone without a word, and its machine back, which only a new connection can tell.
/// In milliseconds.
const UNANSWERED: u64 = 10_000;

/// The connections of HTTP/2 to one endpoint. The first with a free stream is used, so that others can fall idle.
///
/// A worker has its own, so the lock is never waited for there.
pub(super) struct Connections<B> {
    state: Mutex<State<B>>,
    idle_timeout: Duration,
    max_age: MaxAge,
}

struct State<B> {
    open: Vec<Connection<B>>,
    /// A task looks for connections that have been idle for too long.
    expiring: bool,
}

struct Connection<B> {
    sender: SendRequest<B>,
    load: Arc<Load>,
}

/// How many streams of a connection are in use.
#[derive(Debug)]
pub(super) struct Load {
    streams: AtomicUsize,
    limit: AtomicUsize,
    /// The peer takes extended CONNECT (RFC 8441, 3).
    takes_upgrades: AtomicBool,
    created: Instant,
    /// When the last stream ended, in milliseconds after `created`.
    used_at: AtomicU64,
    /// The same of the last answer.
    answered_at: AtomicU64,
    suspect: AtomicBool,
}

/// A stream in use. Dropped, it is free for another request.
#[derive(Debug)]
pub(super) struct Stream {
    load: Arc<Load>,
    /// In milliseconds after `created`, as those of the load.
    taken_at: u64,
    answered: bool,
}

impl<B: Send + 'static> Connections<B> {
    pub(super) fn new(idle_timeout: Duration, max_age: MaxAge) -> Self {
        Self { state: Mutex::new(State { open: Vec::new(), expiring: false }), idle_timeout, max_age }
    }

    /// A stream on a connection that has one to spare.
    pub(super) fn stream(&self) -> Option<(SendRequest<B>, Stream)> {
        let mut state = self.lock();
        state.open.retain(|connection| connection.is_of_use(self.idle_timeout));
        state.open.iter().find_map(|one| Some((one.sender.clone(), Load::take(&one.load)?)))
    }

    pub(super) fn add(self: &Arc<Self>, sender: SendRequest<B>, load: Arc<Load>) {
        if let Some(end) = self.max_age.end() {
            tokio::spawn(retire(Arc::downgrade(self), Arc::downgrade(&load), end));
        }
        let mut state = self.lock();
        state.open.push(Connection { sender, load });
        if !state.expiring {
            state.expiring = true;
            tokio::spawn(expire(Arc::downgrade(self), self.idle_timeout));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<B>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B> Connection<B> {
    fn is_of_use(&self, idle_timeout: Duration) -> bool {
        let suspect = self.load.suspect.load(Ordering::Relaxed);
        !suspect && !self.sender.is_closed() && self.load.idle_for().is_none_or(|idle| idle < idle_timeout)
    }
}

/// Lets a connection take no new streams from then on: it ends with the last of those that it has.
async fn retire<B: Send + 'static>(connections: Weak<Connections<B>>, load: Weak<Load>, end: Instant) {
    tokio::time::sleep_until(end).await;
    if let Some(connections) = connections.upgrade() {
        let old = load.as_ptr();
        connections.lock().open.retain(|connection| Arc::as_ptr(&connection.load) != old);
    }
}

/// Ends connections that have been idle for too long, until none is left.
async fn expire<B: Send + 'static>(connections: Weak<Connections<B>>, idle_timeout: Duration) {
    loop {
        tokio::time::sleep(idle_timeout / LOOKS).await;
        let Some(connections) = connections.upgrade() else { return };
        let mut state = connections.lock();
        state.open.retain(|connection| connection.is_of_use(idle_timeout));
        if state.open.is_empty() {
            state.expiring = false;
            return;
        }
    }
}

impl Load {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            streams: AtomicUsize::new(0),
            limit: AtomicUsize::new(0),
            takes_upgrades: AtomicBool::new(false),
            created: Instant::now(),
            used_at: AtomicU64::new(0),
            answered_at: AtomicU64::new(0),
            suspect: AtomicBool::new(false),
        })
    }

    /// What the peer's SETTINGS say.
    pub(super) fn set(&self, limit: usize, takes_upgrades: bool) {
        self.limit.store(limit, Ordering::Relaxed);
        self.takes_upgrades.store(takes_upgrades, Ordering::Relaxed);
    }

    /// A stream, if there is one to spare.
    pub(super) fn take(this: &Arc<Self>) -> Option<Stream> {
        let limit = this.limit.load(Ordering::Relaxed);
        let more = |streams| (streams < limit).then_some(streams + 1);
        this.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Stream { load: Arc::clone(this), taken_at: this.now(), answered: false })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// For how long no stream has been in use; `None` while one is.
    fn idle_for(&self) -> Option<Duration> {
        let idle = self.streams.load(Ordering::Relaxed) == 0;
        let used_at = Duration::from_millis(self.used_at.load(Ordering::Relaxed));
        idle.then(|| self.created.elapsed().saturating_sub(used_at))
    }
}

impl Stream {
    /// Whether it may become a tunnel.
    pub(super) fn takes_upgrades(&self) -> bool {
        self.load.takes_upgrades.load(Ordering::Relaxed)
    }

    /// Something was heard of the peer.
    pub(super) fn answered(&mut self) {
        self.answered = true;
        self.load.answered_at.store(self.load.now(), Ordering::Relaxed);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let load = &self.load;
        let now = load.now();
        load.used_at.store(now, Ordering::Relaxed);
        let heard_at = load.answered_at.load(Ordering::Relaxed).max(self.taken_at);
        if !self.answered && now.saturating_sub(heard_at) >= UNANSWERED {
            load.suspect.store(true, Ordering::Relaxed);
        }
        load.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_has_so_many_streams_and_knows_when_it_is_idle() {
        let load = Load::new();
        assert!(Load::take(&load).is_none());
        load.set(2, false);
        let streams = [Load::take(&load).unwrap(), Load::take(&load).unwrap()];
        assert!(Load::take(&load).is_none());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(load.idle_for(), None);
        drop(streams);
        assert_eq!(load.idle_for(), Some(Duration::ZERO));
        // The peer allows fewer now.
        let _one = Load::take(&load).unwrap();
        load.set(1, false);
        assert!(Load::take(&load).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn only_who_was_asked_and_has_not_answered_for_long_is_suspect() {
        let load = Load::new();
        load.set(2, false);
        tokio::time::advance(Duration::from_secs(60)).await;
        // Given up at once, of a connection that nobody has asked anything for long.
        drop(Load::take(&load));
        assert!(!load.suspect.load(Ordering::Relaxed));
        let waiting = Load::take(&load).unwrap();
        tokio::time::advance(Duration::from_secs(9)).await;
        Load::take(&load).unwrap().answered();
        tokio::time::advance(Duration::from_secs(9)).await;
        drop(waiting);
        assert!(!load.suspect.load(Ordering::Relaxed));
        let waiting = Load::take(&load).unwrap();
        tokio::time::advance(Duration::from_secs(10)).await;
        drop(waiting);
        assert!(load.suspect.load(Ordering::Relaxed));
    }
}
