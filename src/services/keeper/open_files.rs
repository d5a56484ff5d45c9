//! The limit of open files that services start with.

use std::sync::OnceLock;

use rustix::process::{Resource, getrlimit};

static SOFT_LIMIT: OnceLock<u64> = OnceLock::new();

/// Remembers the soft limit with which pmesh was started, before it raises its own. Programs that use `select`, or that
/// close all descriptors up to the limit, need a low one; others raise it themselves.
pub fn remember_open_files(soft: u64) {
    // The first one counts.
    let _ = SOFT_LIMIT.set(soft);
}

/// The soft limit that services get, unless they have a limit of their own.
pub(super) fn soft_limit() -> u64 {
    let current = || getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    SOFT_LIMIT.get().copied().unwrap_or_else(current)
}
