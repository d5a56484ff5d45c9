//! Kills what a killed keeper has left behind.

use std::{
    collections::{HashMap, HashSet},
    process::Child,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, waitpid};
use tokio::time::sleep;

use super::{cgroups, leftovers::descendants};
use crate::processes::children;

const POLL: Duration = Duration::from_millis(5);
/// How long processes may take to die. They need long only if they wait for a device.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits for a keeper whose socket has closed, and returns how it ended.
pub(super) async fn wait(keeper: &mut Child) -> String {
    let start = Instant::now();
    let status = loop {
        match keeper.try_wait() {
            Ok(Some(status)) => break status.to_string(),
            Ok(None) if start.elapsed() > PATIENCE => {
                // It has closed the socket, so it is of no more use.
                let _ = keeper.kill();
                sleep(POLL).await;
            }
            Ok(None) => sleep(POLL).await,
            Err(error) => break error.to_string(),
        }
    };
    children::release(keeper.id());
    status
}

/// Kills and reaps the processes of all services of this keeper, which this process has inherited. `running` has the main
/// processes by the id of their launch.
pub(super) async fn end_services(keeper: u32, running: &HashMap<u64, u32>) {
    let mains = running.iter().filter_map(|(id, pid)| Some((i32::try_from(*pid).ok()?, *id))).collect();
    let own = getpid();
    let start = Instant::now();
    // A process that has exited no longer shows that it belongs to a service.
    let mut killed = HashSet::new();
    loop {
        let mut left = descendants(own.as_raw_pid(), keeper, &mains);
        left.retain(|descendant| descendant.id.is_some() || killed.contains(&descendant.process.pid));
        let are_gone = cgroups::end_all_of(keeper);
        if (left.is_empty() && are_gone) || start.elapsed() > PATIENCE {
            return;
        }
        for process in left.iter().map(|descendant| descendant.process) {
            let Some(pid) = Pid::from_raw(process.pid) else { continue };
            let _ = kill_process(pid, Signal::KILL);
            killed.insert(process.pid);
            if process.is_zombie && process.parent == own.as_raw_pid() {
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
        sleep(POLL).await;
    }
}
