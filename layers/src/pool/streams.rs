use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hyper::client::conn::http2::SendRequest;
use tokio::time::Instant;

use super::{CHECKS_PER_TIMEOUT, age::MaxAge};
use crate::body::RequestBody;

/// How long requests can wait on a connection without any part of a response before it accepts no new ones. The peer may
/// be gone, or may only acknowledge PINGs. Only a new connection shows whether it still works.
const SILENCE: Duration = Duration::from_secs(10);
/// Minimum interval between checks of the connections.
const MIN_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a new connection is not considered idle, because the request that it was opened for is about to use it.
const NEW: Duration = Duration::from_secs(1);

/// The HTTP/2 connections to one endpoint. The first one with a free stream is used, so that others can become idle.
///
/// Each worker has its own, so the lock is uncontended.
pub(super) struct Connections {
    state: Mutex<OpenConnections>,
    idle_timeout: Duration,
    max_age: MaxAge,
}

struct OpenConnections {
    open: Vec<OpenConnection>,
    /// Whether a task checks for connections that have been idle for too long.
    expiring: bool,
}

struct OpenConnection {
    sender: SendRequest<RequestBody>,
    load: Arc<Load>,
}

/// How many streams of a connection are in use, and whether the peer responds. Times are in milliseconds since `created`.
#[derive(Debug)]
pub(super) struct Load {
    streams: AtomicUsize,
    limit: AtomicUsize,
    /// Whether the peer allows extended CONNECT (RFC 8441, 3).
    accepts_upgrades: AtomicBool,
    created: Instant,
    /// When the last stream ended.
    used_at: AtomicU64,
    /// Number of requests without a response.
    waiting: AtomicUsize,
    /// Since when these requests have waited without any part of a response.
    silent_since: AtomicU64,
    /// How long earlier requests had waited before they were cancelled.
    silent_before: AtomicU64,
}

/// A stream in use, free for another request once dropped.
#[derive(Debug)]
pub(super) struct StreamSlot {
    load: Arc<Load>,
    answered: bool,
}

impl Connections {
    pub(super) fn new(idle_timeout: Duration, max_age: MaxAge) -> Self {
        Self { state: Mutex::new(OpenConnections { open: Vec::new(), expiring: false }), idle_timeout, max_age }
    }

    /// Returns a stream on the first connection with a free one.
    pub(super) fn stream(&self) -> Option<(SendRequest<RequestBody>, StreamSlot)> {
        let mut state = self.lock();
        state.open.retain(|connection| connection.is_usable(self.idle_timeout));
        let mut answering = state.open.iter().filter(|one| !one.load.is_silent());
        answering.find_map(|one| Some((one.sender.clone(), Load::take(&one.load)?)))
    }

    pub(super) fn add(self: &Arc<Self>, sender: SendRequest<RequestBody>, load: Arc<Load>) {
        if let Some(end) = self.max_age.end() {
            tokio::spawn(retire(Arc::downgrade(self), Arc::downgrade(&load), end));
        }
        let mut state = self.lock();
        state.open.push(OpenConnection { sender, load });
        if !state.expiring {
            state.expiring = true;
            tokio::spawn(expire(Arc::downgrade(self), self.idle_timeout));
        }
    }

    fn lock(&self) -> MutexGuard<'_, OpenConnections> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenConnection {
    /// A silent connection is kept while requests wait on it. They may just be slow, and their responses make it usable
    /// again.
    fn is_usable(&self, idle_timeout: Duration) -> bool {
        let usable = |idle| idle < idle_timeout && !self.load.is_silent();
        !self.sender.is_closed() && self.load.idle_for().is_none_or(usable)
    }
}

/// Removes a connection at `end`. It accepts no new streams from then on, and is closed with its last stream.
async fn retire(connections: Weak<Connections>, load: Weak<Load>, end: Instant) {
    tokio::time::sleep_until(end).await;
    if let Some(connections) = connections.upgrade() {
        let old = load.as_ptr();
        connections.lock().open.retain(|connection| Arc::as_ptr(&connection.load) != old);
    }
}

/// Closes connections that have been idle for too long, until none is left.
async fn expire(connections: Weak<Connections>, idle_timeout: Duration) {
    loop {
        tokio::time::sleep((idle_timeout / CHECKS_PER_TIMEOUT).max(MIN_CHECK_INTERVAL)).await;
        let Some(connections) = connections.upgrade() else { return };
        let mut state = connections.lock();
        state.open.retain(|connection| connection.is_usable(idle_timeout));
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
            accepts_upgrades: AtomicBool::new(false),
            created: Instant::now(),
            used_at: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            silent_since: AtomicU64::new(0),
            silent_before: AtomicU64::new(0),
        })
    }

    /// Stores what the peer's SETTINGS allow.
    pub(super) fn set(&self, limit: usize, accepts_upgrades: bool) {
        self.limit.store(limit, Ordering::Relaxed);
        self.accepts_upgrades.store(accepts_upgrades, Ordering::Relaxed);
    }

    /// The number of streams in use.
    pub(super) fn streams(&self) -> usize {
        self.streams.load(Ordering::Relaxed)
    }

    /// Whether the peer allows any stream.
    pub(super) fn allows_any(&self) -> bool {
        self.limit.load(Ordering::Relaxed) > 0
    }

    /// Takes a stream, if one is free.
    pub(super) fn take(this: &Arc<Self>) -> Option<StreamSlot> {
        let limit = this.limit.load(Ordering::Relaxed);
        let more = |streams| (streams < limit).then_some(streams + 1);
        this.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        if this.waiting.fetch_add(1, Ordering::Relaxed) == 0 {
            this.silent_since.store(this.now(), Ordering::Relaxed);
        }
        Some(StreamSlot { load: Arc::clone(this), answered: false })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.created.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Returns for how long no stream has been in use; `None` while one is, or is about to be.
    fn idle_for(&self) -> Option<Duration> {
        if self.streams.load(Ordering::Relaxed) > 0 {
            return None;
        }
        let used_at = Duration::from_millis(self.used_at.load(Ordering::Relaxed));
        let age = self.created.elapsed();
        let is_new = used_at.is_zero() && age < NEW;
        (!is_new).then(|| age.saturating_sub(used_at))
    }

    /// Notes that a part of a response has arrived.
    fn received_data(&self) {
        self.silent_since.store(self.now(), Ordering::Relaxed);
        self.silent_before.store(0, Ordering::Relaxed);
    }

    /// Whether requests have waited for too long, in total, without any part of a response.
    fn is_silent(&self) -> bool {
        let mut silent = self.silent_before.load(Ordering::Relaxed);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            silent += self.now().saturating_sub(self.silent_since.load(Ordering::Relaxed));
        }
        Duration::from_millis(silent) >= SILENCE
    }
}

impl StreamSlot {
    /// Whether it can become a tunnel.
    pub(super) fn accepts_upgrades(&self) -> bool {
        self.load.accepts_upgrades.load(Ordering::Relaxed)
    }

    /// Notes that the response head or the end of the stream has arrived.
    pub(super) fn response_started(&mut self) {
        if !std::mem::replace(&mut self.answered, true) {
            self.load.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        self.load.received_data();
    }

    /// Notes that a part of the response body has arrived.
    pub(super) fn received_data(&self) {
        self.load.received_data();
    }
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let load = &self.load;
        let now = load.now();
        if !self.answered && load.waiting.fetch_sub(1, Ordering::Relaxed) == 1 {
            let silent = now.saturating_sub(load.silent_since.load(Ordering::Relaxed));
            load.silent_before.fetch_add(silent, Ordering::Relaxed);
        }
        load.used_at.store(now.max(1), Ordering::Relaxed);
        load.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_limits_its_streams_and_knows_when_it_is_idle() {
        let load = Load::new();
        assert!(Load::take(&load).is_none());
        load.set(2, false);
        let streams = [Load::take(&load).unwrap(), Load::take(&load).unwrap()];
        assert!(Load::take(&load).is_none());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(load.idle_for(), None);
        drop(streams);
        assert_eq!(load.idle_for(), Some(Duration::ZERO));
        // The peer lowers its limit.
        let _one = Load::take(&load).unwrap();
        load.set(1, false);
        assert!(Load::take(&load).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_silent_if_requests_wait_and_no_part_of_a_response_arrives() {
        let load = Load::new();
        load.set(9, false);
        let pass = async |seconds| tokio::time::advance(Duration::from_secs(seconds)).await;
        pass(60).await;
        // A long idle time does not count.
        drop(Load::take(&load));
        assert!(!load.is_silent());
        let waiting = Load::take(&load).unwrap();
        pass(9).await;
        let mut answered = Load::take(&load).unwrap();
        answered.response_started();
        pass(9).await;
        answered.received_data();
        pass(9).await;
        assert!(!load.is_silent());
        pass(1).await;
        assert!(load.is_silent());
        // The peer was only slow.
        answered.received_data();
        assert!(!load.is_silent());
        drop((answered, waiting));

        // Each request is cancelled early. The idle time in between does not count.
        Load::take(&load).unwrap().response_started();
        for _ in 0..5 {
            assert!(!load.is_silent());
            let waiting = Load::take(&load).unwrap();
            pass(2).await;
            drop(waiting);
            pass(60).await;
        }
        assert!(load.is_silent());
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_is_not_idle_yet() {
        let load = Load::new();
        assert_eq!(load.idle_for(), None);
        tokio::time::advance(NEW).await;
        assert_eq!(load.idle_for(), Some(NEW));
    }
}
