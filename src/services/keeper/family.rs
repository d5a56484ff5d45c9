//! The programs that the keeper has started. It reaps them, and kills what they leave behind.

use std::{
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, kill_process_group, wait};

use super::{
    cgroups::Cgroup,
    event::ExitStatus,
    launch::Launch,
    leftovers::{Descendant, descendants},
    message::Reply,
    socket::Pipes,
    start::{Started, Starter},
};

/// How long a program may take to stop after pmesh has ended, even if its `stop_timeout` is longer.
const MAX_STOP_TIMEOUT: Duration = Duration::from_secs(10);
/// How long killed processes may take to die before the program counts as exited anyway.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often to look for killed processes: soon at first, and then less often, because that reads all processes.
const SWEEP: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

/// The programs that run.
#[derive(Debug)]
pub(super) struct Family {
    starter: Starter,
    members: BTreeMap<u64, Member>,
    replies: Vec<Reply>,
    /// No sweep before this, so that many exits at once do not each read all processes.
    earliest_sweep: Instant,
}

#[derive(Debug)]
struct Member {
    pid: Pid,
    cgroup: Option<Cgroup>,
    stop_signal: i32,
    stop_timeout: Duration,
    /// How the main process has ended.
    status: Option<ExitStatus>,
    /// When it is killed, if it has not exited by then.
    deadline: Option<Instant>,
    /// Since when everything that belongs to it is being killed.
    ending_since: Option<Instant>,
    next_sweep: Option<Instant>,
}

impl Member {
    fn end(&mut self) {
        let now = Instant::now();
        self.ending_since.get_or_insert(now);
        self.next_sweep = Some(now);
    }

    fn is_due(&self, now: Instant) -> bool {
        self.next_sweep.is_some_and(|next| next <= now)
    }
}

impl Family {
    pub(super) fn new(starter: Starter) -> Self {
        Self { starter, members: BTreeMap::new(), replies: Vec::new(), earliest_sweep: Instant::now() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// What has happened since the last call.
    pub(super) fn take_replies(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.replies)
    }

    pub(super) fn launch(&mut self, id: u64, launch: &Launch, pipes: Option<Pipes>) {
        let pipes = pipes.ok_or_else(|| "the keeper of the services has too many open files".to_owned());
        match pipes.and_then(|pipes| self.starter.start(id, launch, pipes)) {
            Ok(Started { pid, cgroup }) => {
                let member = Member {
                    pid,
                    cgroup,
                    stop_signal: launch.stop_signal,
                    stop_timeout: launch.stop_timeout,
                    status: None,
                    deadline: None,
                    ending_since: None,
                    next_sweep: None,
                };
                self.members.insert(id, member);
                let pid = u32::try_from(pid.as_raw_pid()).unwrap_or_default();
                self.replies.push(Reply::Started { id, pid });
            }
            Err(error) => self.replies.push(Reply::Failed { id, error }),
        }
    }

    pub(super) fn signal(&self, id: u64, signal: i32) {
        if let (Some(member), Some(signal)) = (self.members.get(&id), Signal::from_named_raw(signal))
            // The id of a process that was reaped can belong to another one by now.
            && member.status.is_none()
        {
            let _ = kill_process_group(member.pid, signal);
        }
    }

    pub(super) fn kill(&mut self, id: u64) {
        self.signal(id, Signal::KILL.as_raw());
        if let Some(member) = self.members.get_mut(&id) {
            member.end();
        }
    }

    /// Asks all programs to stop, and kills them later.
    pub(super) fn stop_all(&mut self) {
        let now = Instant::now();
        for member in self.members.values_mut() {
            member.deadline = Some(now + member.stop_timeout.min(MAX_STOP_TIMEOUT));
        }
        for (id, member) in &self.members {
            self.signal(*id, member.stop_signal);
        }
    }

    /// Reaps all children that have exited.
    pub(super) fn reap(&mut self) {
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if let Some(member) = self.members.values_mut().find(|member| member.pid == pid && member.status.is_none())
            {
                let is_out_of_memory = member.cgroup.as_ref().is_some_and(Cgroup::was_out_of_memory);
                member.status = Some(exit_status(status, is_out_of_memory));
                member.end();
            }
        }
    }

    /// Kills what is due to be killed. Returns when to call this again.
    pub(super) fn sweep(&mut self) -> Option<Instant> {
        let now = Instant::now();
        for member in self.members.values_mut().filter(|member| member.ending_since.is_none()) {
            if member.deadline.is_some_and(|deadline| deadline <= now) {
                let _ = kill_process_group(member.pid, Signal::KILL);
                member.end();
            }
        }
        if now >= self.earliest_sweep && self.members.values().any(|member| member.is_due(now)) {
            self.sweep_due(now);
            // Sweeps take at most a fifth of the time.
            self.earliest_sweep = Instant::now() + 4 * now.elapsed();
        }
        let sweeps = self.members.values().filter_map(|member| member.next_sweep.map(|at| at.max(self.earliest_sweep)));
        let deadlines =
            self.members.values().filter(|member| member.ending_since.is_none()).filter_map(|member| member.deadline);
        sweeps.chain(deadlines).min()
    }

    fn sweep_due(&mut self, now: Instant) {
        let due: Vec<_> = self.members.iter().filter(|(_, member)| member.is_due(now)).map(|(id, _)| *id).collect();
        let mut left: HashMap<u64, usize> = HashMap::new();
        for Descendant { id, process } in self.descendants() {
            if let Some(id) = id.filter(|id| due.contains(id)) {
                kill(process.pid);
                *left.entry(id).or_default() += usize::from(!process.is_zombie);
            }
        }
        for id in due {
            let Some(member) = self.members.get_mut(&id) else { continue };
            let is_clear = !left.contains_key(&id) || left[&id] == 0;
            let has_waited = now.duration_since(member.ending_since.unwrap_or(now));
            if let Some(cgroup) = &member.cgroup {
                cgroup.kill();
            }
            let is_gone = || member.cgroup.as_ref().is_none_or(Cgroup::remove);
            if let Some(status) = member.status.filter(|_| (is_clear && is_gone()) || has_waited > PATIENCE) {
                self.replies.push(Reply::Exited { id, status });
                self.members.remove(&id);
            } else {
                member.next_sweep = Some(now + if has_waited < SWEEP.1 { SWEEP.0 } else { SWEEP.1 });
            }
        }
    }

    fn descendants(&self) -> Vec<Descendant> {
        let keeper = getpid().as_raw_pid();
        let mains = self.members.iter().map(|(id, member)| (member.pid.as_raw_pid(), *id)).collect();
        descendants(keeper, u32::try_from(keeper).unwrap_or_default(), &mains)
    }

    /// Kills all processes that are left, whatever they belong to. Returns whether any were.
    pub(super) fn kill_rest(&mut self) -> bool {
        self.reap();
        let rest = self.descendants();
        rest.iter().for_each(|descendant| kill(descendant.process.pid));
        !rest.is_empty()
    }
}

fn kill(pid: i32) {
    // It may have exited.
    let _ = Pid::from_raw(pid).map(|pid| kill_process(pid, Signal::KILL));
}

fn exit_status(status: WaitStatus, is_out_of_memory: bool) -> ExitStatus {
    ExitStatus { code: status.exit_status(), signal: status.terminating_signal(), is_out_of_memory }
}
