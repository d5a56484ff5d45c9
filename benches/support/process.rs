//! What Linux tells of a running process.

use std::{fs, thread, time::Duration};

/// As Linux has it for programs, on all machines that Rust runs on.
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

    /// Processor time so far, of user and system, in seconds.
    pub fn cpu(self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap();
        // Behind the name, which may hold anything: state is the third field, utime and stime are 14 and 15.
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        fields[11..=12].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / TICKS_A_SECOND
    }

    pub fn descriptors(self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.0)).unwrap().count()
    }
}

/// What the buffers of all TCP sockets of the machine hold, in KiB.
pub fn tcp_memory() -> f64 {
    let sockets = fs::read_to_string("/proc/net/sockstat").unwrap();
    let line = sockets.lines().find(|line| line.starts_with("TCP:")).unwrap();
    let pages = line.split_whitespace().last().unwrap();
    // The usual size of a page.
    pages.parse::<f64>().unwrap() * 4.0
}

/// The largest value at any of the looks that are taken until `end` says so.
pub fn peak_until<const N: usize>(mut look: impl FnMut() -> [f64; N], mut end: impl FnMut() -> bool) -> [f64; N] {
    let mut peak = look();
    while !end() {
        thread::sleep(Duration::from_millis(100));
        for (peak, value) in peak.iter_mut().zip(look()) {
            *peak = peak.max(value);
        }
    }
    peak
}

/// Lets this process have as many descriptors as it may.
pub fn raise_descriptor_limit() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
}
