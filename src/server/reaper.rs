//! Reaps orphans, which process 1 of a container inherits, and so does a process that has started a keeper.

use std::{io, time::Duration};

use rustix::process::{child_subreaper, getpid};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use crate::processes::children;

/// How long to wait for more exits, because each search for orphans reads all processes.
const PAUSE: Duration = Duration::from_millis(100);

/// Reaps orphans whenever a child exits. Returns only on an error. In a process that does not inherit orphans, it does
/// nothing.
///
/// # Errors
///
/// If SIGCHLD cannot be handled.
pub(super) async fn reap_orphans() -> io::Result<()> {
    let mut exits = signal(SignalKind::child())?;
    loop {
        let gets_orphans = getpid().is_init() || matches!(child_subreaper(), Ok(Some(_)));
        if gets_orphans {
            children::reap_others();
        }
        exits.recv().await;
        sleep(PAUSE).await;
    }
}
