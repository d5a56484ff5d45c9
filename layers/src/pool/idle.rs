use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use hyper::client::conn::http1::SendRequest;
use tokio::{
    task::AbortHandle,
    time::{Instant, timeout},
};

use super::{LOOKS, age::MaxAge, meter::Meter, stats::PoolStats};
use crate::body::RequestBody;

/// How long an endpoint that has responded may leave the rest of the request unread.
const UNREAD: Duration = Duration::from_secs(5);
/// How long the rest of that request may be without a piece. A server of HTTP may be more strict.
const UNSENT: Duration = Duration::from_secs(60);

/// One connection to the endpoint, held by whoever may send on it. Always in a box, since it moves with its response.
pub(super) struct PooledConnection {
    pub(super) sender: SendRequest<RequestBody>,
    /// The task that moves its bytes. It ends with this: hyper's would go on with a request that nobody waits for any
    /// more, for as long as the endpoint does not read it.
    task: Option<AbortHandle>,
    pub(super) meter: Arc<Meter>,
    /// When it stops taking requests.
    end: Option<Instant>,
    /// Since when it had been idle before its current request; `None` if it is new.
    waited_since: Option<Instant>,
    /// Whether it may have been authenticated, so that no other client may use it.
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

    /// Lets the task live on, to hand its IO over after a change of protocol.
    pub(super) fn detach(mut self) {
        self.meter.end();
        self.task = None;
    }

    /// Makes it idle, after its response has been read to the end.
    pub(super) fn rest(&mut self) {
        self.meter.end();
        self.waited_since = Some(Instant::now());
    }

    /// Whether it may still become ready for another request.
    pub(super) fn may_be_ready(&self) -> bool {
        !self.sender.is_closed() && !self.meter.is_broken()
    }

    /// Since when it had been idle, if it ended without a byte of a response. The endpoint probably closed it because
    /// it had been idle for too long.
    pub(super) fn stale_since(&self) -> Option<Instant> {
        self.waited_since.filter(|_| self.meter.has_heard_nothing())
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// The connections of one endpoint that wait for a request, the last used on top.
///
/// A worker has its own, so the lock is never waited for there: two uncontended lockings a request, some 20 ns each.
pub(super) struct Idle {
    state: Mutex<IdleConnections>,
    max: usize,
    timeout: Duration,
    max_age: MaxAge,
    stats: Arc<PoolStats>,
}

struct IdleConnections {
    waiting: Vec<Waiting>,
    /// A task looks for connections that have waited too long.
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

    /// An empty set with the same limits and another maximum age.
    pub(super) fn with_max_age(&self, max_age: MaxAge) -> Self {
        Self::new(self.max, self.timeout, max_age)
    }

    /// When a connection that is opened now stops taking requests.
    pub(super) fn end(&self) -> Option<Instant> {
        self.max_age.end()
    }

    /// How many connections there are, in use or not.
    pub(super) fn stats(&self) -> &Arc<PoolStats> {
        &self.stats
    }

    /// A connection that can take a request now.
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
                // Those below have waited longer.
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

    /// Keeps a connection whose response has ended.
    pub(super) fn put(self: &Arc<Self>, connection: Box<PooledConnection>) {
        connection.meter.end();
        if connection.sender.is_ready() {
            self.keep(connection);
        } else if connection.may_be_ready() {
            // The rest of the request is still on its way, or the connection's task is not through yet.
            let idle = Arc::clone(self);
            tokio::spawn(async move {
                if let Some(connection) = when_ready(connection).await {
                    idle.keep(connection);
                }
            });
        }
    }

    /// Keeps it only for as long as the rest of its request is on its way.
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
            tokio::spawn(expire(Arc::downgrade(self), self.timeout, self.max_age.limit(self.timeout) / LOOKS));
        }
    }

    fn lock(&self) -> MutexGuard<'_, IdleConnections> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Idle {
    fn drop(&mut self) {
        // They end with it.
        self.stats.set_http1_idle(0);
    }
}

/// Lets a request that was answered early go on as long as it moves: its client may read the response only when it
/// has sent all of it, and its endpoint may want it all (RFC 9112, 9.5).
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
            // Nobody else would end it (hyper#4176).
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
