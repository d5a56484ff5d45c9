//! Figures from Linux about running processes.

use std::{fs, thread, time::Duration};

use super::cores::run_only_when_idle;

/// Linux reports this value to programs on all architectures that Rust supports.
const TICKS_A_SECOND: f64 = 100.0;

#[derive(Debug, Clone, Copy)]
pub struct Process(pub u32);

impl Process {
    /// Resident memory, in KiB.
    pub fn memory(self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// CPU time so far, user and system, in seconds.
    pub fn cpu(self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap();
        // After the name, which can contain anything: state is field 3, utime and stime are 14 and 15.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11..=12].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / TICKS_A_SECOND
    }

    /// The process and all its descendants.
    fn tree(self) -> Vec<Self> {
        let mut all = vec![self];
        // A process that has exited meanwhile has no threads.
        for thread in fs::read_dir(format!("/proc/{}/task", self.0)).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            all.extend(children.split_whitespace().flat_map(|child| Self(child.parse().unwrap()).tree()));
        }
        all
    }

    /// CPU time of the process and its descendants, in seconds.
    pub fn tree_cpu(self) -> f64 {
        self.tree().into_iter().map(Self::cpu).sum()
    }

    /// Memory of all of them in KiB (PSS: shared pages are divided among their users).
    pub fn tree_memory(self) -> f64 {
        let of_one = |process: Self| {
            let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", process.0)).unwrap();
            let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap();
            line.split_whitespace().next().unwrap().parse::<f64>().unwrap()
        };
        self.tree().into_iter().map(of_one).sum()
    }

    pub fn descriptors(self) -> usize {
        let folder = format!("/proc/{}/fd", self.0);
        // Since Linux 6.2 the size of the folder is the number of descriptors. Listing thousands takes milliseconds, during which
        // others on the same core wait.
        match fs::metadata(&folder).unwrap().len() {
            0 => fs::read_dir(folder).unwrap().count(),
            count => usize::try_from(count).unwrap(),
        }
    }
}

/// Memory in the buffers of all TCP sockets of the machine, in KiB.
pub fn tcp_memory() -> f64 {
    let sockets = fs::read_to_string("/proc/net/sockstat").unwrap();
    let line = sockets.lines().find(|line| line.starts_with("TCP:")).unwrap();
    let pages = line.split_whitespace().last().unwrap();
    // Assumes the usual page size of 4 KiB.
    pages.parse::<f64>().unwrap() * 4.0
}

/// The maximum of samples taken until `end` returns true. Runs only when the core is idle, so that it delays nothing else.
pub fn peak_until<const N: usize>(
    mut sample: impl FnMut() -> [f64; N] + Send,
    mut end: impl FnMut() -> bool + Send,
) -> [f64; N] {
    let samples = || {
        run_only_when_idle();
        let mut peak = sample();
        while !end() {
            thread::sleep(Duration::from_millis(100));
            for (peak, value) in peak.iter_mut().zip(sample()) {
                *peak = peak.max(value);
            }
        }
        peak
    };
    thread::scope(|scope| scope.spawn(samples).join().unwrap())
}

/// Raises the descriptor limit of this process to its maximum.
pub fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}
