//! Starts children whose exit status someone waits for, and reaps all others.

use std::{
    collections::BTreeSet,
    io,
    process::{Child, Command},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::process::{Pid, WaitOptions, getpid, waitpid};

use super::table;

/// The children whose exit status someone waits for.
static WAITED_FOR: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Starts a child that the caller waits for. [`reap_others`] leaves it alone until [`release`] is called.
///
/// # Errors
///
/// See [`Command::spawn`].
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    // Held until the child is in the set, because it can exit before that.
    let mut waited_for = waited_for();
    let child = command.spawn()?;
    waited_for.insert(child.id());
    Ok(child)
}

/// Lets [`reap_others`] reap this child. Call it once the status has been read, or if nobody waits for the child any more.
pub fn release(pid: u32) {
    waited_for().remove(&pid);
}

/// Reaps children that have exited and that nobody waits for: orphans, which process 1 of a container and subreapers
/// inherit. Returns how many there were. A child that was not started by [`spawn`] counts as an orphan.
pub fn reap_others() -> usize {
    let waited_for = waited_for();
    let own = getpid().as_raw_pid();
    let is_orphan = |process: &table::ProcessEntry| {
        let is_awaited = u32::try_from(process.pid).is_ok_and(|pid| waited_for.contains(&pid));
        process.parent == own && process.is_zombie && !is_awaited
    };
    let reap = |pid| matches!(waitpid(Some(pid), WaitOptions::NOHANG), Ok(Some(_)));
    let processes = table::processes();
    let orphans = processes.values().filter(|process| is_orphan(process));
    orphans.filter_map(|process| Pid::from_raw(process.pid)).filter(|pid| reap(*pid)).count()
}

fn waited_for() -> MutexGuard<'static, BTreeSet<u32>> {
    WAITED_FOR.lock().unwrap_or_else(PoisonError::into_inner)
}
