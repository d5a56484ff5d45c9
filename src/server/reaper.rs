//! Reaps orphans. The kernel gives them to process 1 of a container, and to a process that has run services.

use std::{io, time::Duration};

use rustix::process::{child_subreaper, getpid};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use crate::processes::children;

/// How long exits are gathered, because looking for orphans reads all processes.
const PAUSE: Duration = Duration::from_millis(100);

/// Reaps orphans whenever a child exits. Does not return. A process that does not get orphans leaves its children alone.
///
/// # Errors
///
/// If the system does not allow to handle SIGCHLD.
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
