//! Descriptors held back for commands and other nodes, for when clients hold all the others.

use std::{
    io,
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::task_local;

use crate::admission::exhaustion::Exhaustion;

/// One descriptor in this many is held back, up to `MAX_SPARES`.
const SHARE: u64 = 8;
const MAX_SPARES: usize = 32;
/// Below this limit, there are too few descriptors to hold any back.
const MIN_LIMIT: u64 = 64;

task_local! {
    static FOR_NODE: ();
}

/// Runs `work`, which polls a request from another node: connections that it opens may use [`SpareDescriptors`].
pub fn for_node<T>(work: impl FnOnce() -> T) -> T {
    FOR_NODE.sync_scope((), work)
}

/// Whether the caller runs inside [`for_node`].
pub fn is_for_node() -> bool {
    FOR_NODE.try_with(|()| ()).is_ok()
}

/// Unused open descriptors. One is closed when none is left for a connection that is more important than a client's. Half
/// are for incoming connections, half for outgoing ones.
///
/// Code that serves clients [restores](Self::restore) them before it opens anything, so the next free descriptor is
/// held back again.
#[derive(Debug)]
pub struct SpareDescriptors {
    /// How many each half holds.
    most: usize,
    /// Read without the lock, once per connection.
    some_missing: AtomicBool,
    held: Mutex<Halves>,
}

#[derive(Debug, Default)]
struct Halves {
    incoming: Vec<OwnedFd>,
    outgoing: Vec<OwnedFd>,
}

impl SpareDescriptors {
    /// How many descriptors a process with this limit of open files holds back.
    pub fn count(limit: u64) -> usize {
        if limit < MIN_LIMIT { 0 } else { usize::try_from(limit / SHARE).unwrap_or(MAX_SPARES).min(MAX_SPARES) }
    }

    /// Holds back `count` descriptors, which must be an even number.
    ///
    /// # Errors
    ///
    /// If the system has too few.
    pub fn new(count: usize) -> io::Result<Self> {
        let spares = Self { most: count / 2, some_missing: AtomicBool::new(true), held: Mutex::default() };
        spares.restore()?;
        Ok(spares)
    }

    /// Opens descriptors until as many are held back as at first.
    ///
    /// # Errors
    ///
    /// If the system has too few. Those it had are kept.
    pub fn restore(&self) -> io::Result<()> {
        if !self.some_missing.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Halves { incoming, outgoing } = &mut *self.held();
        for half in [incoming, outgoing] {
            while half.len() < self.most {
                half.push(UnixDatagram::unbound()?.into());
            }
        }
        self.some_missing.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Frees a descriptor for accepting a connection, if `error` says that there was none. Returns whether it did.
    pub fn free_incoming(&self, error: &io::Error) -> bool {
        self.free(error, |halves| &mut halves.incoming)
    }

    /// Frees a descriptor for opening a connection, if `error` says that there was none. Returns whether it did.
    pub fn free_outgoing(&self, error: &io::Error) -> bool {
        self.free(error, |halves| &mut halves.outgoing)
    }

    /// Makes sure that there is a descriptor, so that a file can be read.
    pub fn ensure_one(&self) {
        if let Err(error) = UnixDatagram::unbound() {
            self.free_outgoing(&error);
        }
    }

    fn free(&self, error: &io::Error, half: fn(&mut Halves) -> &mut Vec<OwnedFd>) -> bool {
        if !Exhaustion::is_out_of_descriptors(error) {
            return false;
        }
        let mut held = self.held();
        self.some_missing.store(true, Ordering::Relaxed);
        half(&mut held).pop().is_some()
    }

    fn held(&self) -> MutexGuard<'_, Halves> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    fn error(errno: Errno) -> io::Error {
        io::Error::from_raw_os_error(errno as i32)
    }

    #[test]
    fn a_small_share_of_the_limit_is_held_back() {
        for (limit, expected) in [(0, 0), (63, 0), (64, 8), (128, 16), (1024, 32), (u64::MAX, 32)] {
            assert_eq!(SpareDescriptors::count(limit), expected, "{limit}");
        }
    }

    #[test]
    fn each_half_is_freed_and_restored() {
        let spares = SpareDescriptors::new(4).unwrap();
        let full = error(Errno::EMFILE);
        for _ in 0..2 {
            assert_eq!([(); 3].map(|()| spares.free_outgoing(&full)), [true, true, false]);
            assert_eq!([(); 3].map(|()| spares.free_incoming(&full)), [true, true, false]);
            spares.restore().unwrap();
        }
        for errno in [Errno::ECONNREFUSED, Errno::ENOMEM] {
            assert!(!spares.free_incoming(&error(errno)) && !spares.free_outgoing(&error(errno)));
        }
    }

    #[test]
    fn is_for_node_is_true_only_inside_for_node() {
        assert!(!is_for_node());
        assert!(for_node(is_for_node));
        assert!(!is_for_node());
    }
}
