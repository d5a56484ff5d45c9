use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use hyper::client::conn::http1::SendRequest;
use tokio::{
    task::AbortHandle,
    time::{Instant, timeout},
};

use super::{CHECKS_PER_TIMEOUT, age::MaxAge, meter::Meter, stats::PoolStats};
use crate::body::RequestBody;

/// How long an endpoint that has responded can leave the rest of the request unread.
const UNREAD: Duration = Duration::from_secs(5);
/// How long the client can take to send the next piece of that request. The HTTP server can be stricter.
const UNSENT: Duration = Duration::from_secs(60);

/// One connection to the endpoint. Always boxed, because it moves along with its response.
pub(super) struct PooledConnection {
    pub(super) sender: SendRequest<RequestBody>,
    /// The task that drives it, aborted on drop. Otherwise hyper would hold on to a cancelled request for as long as the
    /// endpoint does not read it.
    task: Option<AbortHandle>,
    pub(super) meter: Arc<Meter>,
    /// When it stops accepting requests.
    end: Option<Instant>,
    /// Since when it had been idle before its current request; `None` if it is new.
    waited_since: Option<Instant>,
    /// Whether it may have been authenticated, and must not be shared with other clients.
    pub(super) private: bool,
}

impl PooledConnection {
    pub(super) fn new(
        sender: SendRequest<RequestBody>,
        task: AbortHandle,
        meter: Arc<Meter>,
        end: Option<Instant>,
    ) -> Box<Self> {
        Box::new(Self { sender, task: Some(task), meter, end, waited_since: None, private: false })
    }

    fn is_too_old(&self, now: Instant) -> bool {
        self.end.is_some_and(|end| now >= end)
    }

    /// Drops the connection but not its task, which hands over the IO after a change of protocol.
    pub(super) fn detach(mut self) {
        self.meter.end();
        self.task = None;
    }

    /// Marks it as idle after its response has been read to the end.
    pub(super) fn rest(&mut self) {
        self.meter.end();
        self.waited_since = Some(Instant::now());
    }

    /// Whether it can still become ready for another request.
    pub(super) fn may_be_ready(&self) -> bool {
        !self.sender.is_closed() && !self.meter.is_broken()
    }

    /// Returns since when it had been idle, if it was closed without a byte of a response. The endpoint probably closed it
    /// because it had been idle for too long.
    pub(super) fn stale_since(&self) -> Option<Instant> {
        self.waited_since.filter(|_| self.meter.has_received_nothing())
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// The idle connections of one endpoint, the most recently used one on top.
///
/// Each worker has its own, so the lock is uncontended. Each request locks it twice, for about 20 ns each.
pub(super) struct Idle {
    state: Mutex<IdleConnections>,
    max: usize,
    timeout: Duration,
    max_age: MaxAge,
    stats: Arc<PoolStats>,
}

struct IdleConnections {
    waiting: Vec<Waiting>,
    /// Whether a task checks for connections that have been idle for too long.
    expiring: bool,
}

struct Waiting {
    connection: Box<PooledConnection>,
    since: Instant,
}

impl Idle {
    pub(super) fn new(max: usize, timeout: Duration, max_age: MaxAge) -> Self {
        let state = Mutex::new(IdleConnections { waiting: Vec::new(), expiring: false });
        Self { state, max, timeout, max_age, stats: Arc::default() }
    }

    /// Returns an empty set with the same limits and another maximum age.
    pub(super) fn with_max_age(&self, max_age: MaxAge) -> Self {
        Self::new(self.max, self.timeout, max_age)
    }

    /// Returns when a connection that is opened now stops accepting requests.
    pub(super) fn end(&self) -> Option<Instant> {
        self.max_age.end()
    }

    /// The numbers of open and idle connections.
    pub(super) fn stats(&self) -> &Arc<PoolStats> {
        &self.stats
    }

    /// Takes a connection that is ready for a request.
    pub(super) fn take(&self) -> Option<Box<PooledConnection>> {
        let mut state = self.lock();
        let taken = self.take_newest(&mut state);
        self.stats.set_http1_idle(state.waiting.len());
        taken
    }

    #[inline]
    fn take_newest(&self, state: &mut IdleConnections) -> Option<Box<PooledConnection>> {
        let mut now = None;
        while let Some(Waiting { mut connection, since }) = state.waiting.pop() {
            let now = *now.get_or_insert_with(Instant::now);
            if now - since >= self.timeout {
                // The others have been idle for longer.
                state.waiting.clear();
                return None;
            }
            if connection.sender.is_ready() && !connection.is_too_old(now) {
                connection.waited_since = Some(since);
                return Some(connection);
            }
        }
        None
    }

    /// Drops connections that have been idle for at least as long as one that turned out to be dead.
    pub(super) fn drop_older(&self, than: Instant) {
        let mut state = self.lock();
        state.waiting.retain(|waiting| waiting.since > than);
        self.stats.set_http1_idle(state.waiting.len());
    }

    /// Keeps a connection whose response has been read to the end.
    pub(super) fn put(self: &Arc<Self>, connection: Box<PooledConnection>) {
        connection.meter.end();
        if connection.sender.is_ready() {
            self.keep(connection);
        } else if connection.may_be_ready() {
            // The rest of the request is still being sent, or the connection's task has not finished yet.
            let idle = Arc::clone(self);
            tokio::spawn(async move {
                if let Some(connection) = when_ready(connection).await {
                    idle.keep(connection);
                }
            });
        }
    }

    /// Drops a connection once the rest of its request has been sent.
    pub(super) fn leave(connection: Box<PooledConnection>) {
        connection.meter.end();
        if !connection.sender.is_ready() && connection.may_be_ready() {
            tokio::spawn(async move { drop(when_ready(connection).await) });
        }
    }

    fn keep(self: &Arc<Self>, connection: Box<PooledConnection>) {
        let now = Instant::now();
        let mut state = self.lock();
        if state.waiting.len() >= self.max || connection.is_too_old(now) {
            return;
        }
        state.waiting.push(Waiting { connection, since: now });
        self.stats.set_http1_idle(state.waiting.len());
        if !state.expiring {
            state.expiring = true;
            tokio::spawn(expire(
                Arc::downgrade(self),
                self.timeout,
                self.max_age.limit(self.timeout) / CHECKS_PER_TIMEOUT,
            ));
        }
    }

    fn lock(&self) -> MutexGuard<'_, IdleConnections> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        // The idle connections are dropped with it.
        self.stats.set_http1_idle(0);
    }
}

/// Waits until a request that was answered early has been sent, as long as it makes progress. The client may not read the
/// response until it has sent the whole request, and the endpoint may want all of it (RFC 9112, 9.5).
pub(super) async fn when_ready(mut connection: Box<PooledConnection>) -> Option<Box<PooledConnection>> {
    let (mut written, mut since) = (connection.meter.written(), Instant::now());
    loop {
        match timeout(UNREAD, connection.sender.ready()).await {
            Ok(Ok(())) => return Some(connection),
            Ok(Err(_)) => return None,
            Err(_) => {}
        }
        let now = connection.meter.written();
        if now != written {
            (written, since) = (now, Instant::now());
        } else if connection.meter.is_blocked() || since.elapsed() >= UNSENT {
            // hyper itself would never give up (hyper#4176).
            return None;
        }
    }
}

/// Drops connections that have been idle for too long or are too old, until none is left.
async fn expire(idle: Weak<Idle>, timeout: Duration, interval: Duration) {
    loop {
        tokio::time::sleep(interval).await;
        let Some(idle) = idle.upgrade() else { return };
        let now = Instant::now();
        let mut state = idle.lock();
        state.waiting.retain(|Waiting { connection, since }| {
            now - *since < timeout && !connection.is_too_old(now) && !connection.sender.is_closed()
        });
        idle.stats.set_http1_idle(state.waiting.len());
        if state.waiting.is_empty() {
            state.expiring = false;
            return;
        }
    }
}
