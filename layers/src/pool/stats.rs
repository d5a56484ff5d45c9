use std::{
    ops::Deref,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::streams::Load;

/// The numbers of open and idle connections of a pool, and of streams in use.
#[derive(Debug, Default)]
pub struct PoolStats {
    http1: AtomicUsize,
    http1_idle: AtomicUsize,
    http2: Mutex<Vec<Arc<Load>>>,
}

impl PoolStats {
    /// The number of open connections: idle, in use by requests or tunnels, or reserved for a client.
    pub fn open(&self) -> usize {
        self.http1.load(Ordering::Relaxed) + self.http2().len()
    }

    /// The number of idle connections, which are available to any request. HTTP/1 connections that the endpoint has closed
    /// are included until the pool checks them, which it does four times within the idle timeout.
    pub fn idle(&self) -> usize {
        let http1 = self.http1_idle.load(Ordering::Relaxed).min(self.http1.load(Ordering::Relaxed));
        http1 + self.http2().iter().filter(|load| load.streams() == 0).count()
    }

    /// The number of HTTP/2 streams in use by requests in flight and tunnels.
    pub fn streams(&self) -> usize {
        self.http2().iter().map(|load| load.streams()).sum()
    }

    pub(super) fn set_http1_idle(&self, idle: usize) {
        self.http1_idle.store(idle, Ordering::Relaxed);
    }

    fn http2(&self) -> MutexGuard<'_, Vec<Arc<Load>>> {
        self.http2.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts an open HTTP/1 connection until dropped.
#[derive(Debug)]
pub(super) struct Http1Open(Arc<PoolStats>);

impl Http1Open {
    pub(super) fn new(stats: &Arc<PoolStats>) -> Self {
        stats.http1.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(stats))
    }
}

impl Drop for Http1Open {
    fn drop(&mut self) {
        self.0.http1.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Registers the load of an open HTTP/2 connection until dropped.
#[derive(Debug)]
pub(super) struct Http2Open {
    load: Arc<Load>,
    stats: Arc<PoolStats>,
}

impl Http2Open {
    pub(super) fn new(stats: &Arc<PoolStats>, load: Arc<Load>) -> Self {
        stats.http2().push(Arc::clone(&load));
        Self { load, stats: Arc::clone(stats) }
    }
}

impl Deref for Http2Open {
    type Target = Load;

    fn deref(&self) -> &Load {
        &self.load
    }
}

impl Drop for Http2Open {
    fn drop(&mut self) {
        self.stats.http2().retain(|load| !Arc::ptr_eq(load, &self.load));
    }
}
