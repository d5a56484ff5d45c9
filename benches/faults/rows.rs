//! The faults, and when they happen.

use std::time::Duration;

use super::support::backend::Behaviour;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// SIGKILL, then a restart.
    Kill,
    /// SIGSTOP, then SIGCONT.
    Hang,
    Behave(Behaviour),
    /// The proxy gets SIGTERM. Another one binds the port as soon as it is free.
    Replace,
    /// The proxy is limited to 256 descriptors, and 300 clients connect.
    Descriptors,
}

pub struct Row {
    pub name: &'static str,
    pub fault: Fault,
    pub backends: usize,
    /// Seconds between faults; 0: one fault, for two thirds of the run.
    pub every: u64,
    /// Duration of a fault in milliseconds.
    pub lasts: u64,
    /// Every n-th request uses a new connection; 0: none.
    pub fresh: u32,
    pub flags: &'static [&'static str],
    pub note: &'static str,
}

impl Row {
    /// Time between faults, and their duration.
    pub fn times(&self, seconds: Duration) -> (Duration, Duration) {
        match self.every {
            0 => (seconds, seconds * 2 / 3),
            every => (Duration::from_secs(every), Duration::from_millis(self.lasts)),
        }
    }
}

const USUAL: Row =
    Row { name: "", fault: Fault::None, backends: 2, every: 3, lasts: 1000, fresh: 0, flags: &[], note: "" };

pub const ROWS: [Row; 10] = [
    Row { name: "none", ..USUAL },
    Row { name: "killed", fault: Fault::Kill, note: "kill -9, restarted after 1 s, every 3 s", ..USUAL },
    Row {
        name: "hangs",
        fault: Fault::Hang,
        every: 4,
        lasts: 2000,
        flags: &["--response-timeout", "1s"],
        note: "stopped for 2 s, every 4 s; response_timeout 1 s",
        ..USUAL
    },
    Row {
        name: "resets",
        fault: Fault::Behave(Behaviour::Reset),
        note: "RST instead of a response for 1 s, every 3 s",
        ..USUAL
    },
    Row {
        name: "half-closes",
        fault: Fault::Behave(Behaviour::HalfClose),
        note: "FIN instead of a response for 1 s, every 3 s",
        ..USUAL
    },
    Row {
        name: "slow",
        fault: Fault::Behave(Behaviour::Slow),
        note: "responses take 500 ms for 1 s, every 3 s",
        ..USUAL
    },
    Row {
        name: "garbage",
        fault: Fault::Behave(Behaviour::Garbage),
        note: "responses that are not HTTP for 1 s, every 3 s",
        ..USUAL
    },
    Row {
        name: "only backend gone",
        fault: Fault::Kill,
        backends: 1,
        every: 10,
        lasts: 5000,
        note: "for 5 s, every 10 s",
        ..USUAL
    },
    Row { name: "proxy replaced", fault: Fault::Replace, every: 10, note: "SIGTERM, every 10 s:", ..USUAL },
    Row {
        name: "256 descriptors",
        fault: Fault::Descriptors,
        every: 0,
        fresh: 10,
        note: "for two thirds of the run, with 300 idle clients; every 10th request on a new connection",
        ..USUAL
    },
];
