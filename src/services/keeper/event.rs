//! What happens to programs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Something that has happened to the program with this `id`, or to the keeper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeeperEvent {
    /// It runs.
    Started {
        /// The id of the launch.
        id: u64,
        /// The id of its main process, which is also that of its process group and session.
        pid: u32,
    },
    /// It could not be started. Nothing follows.
    Failed {
        /// The id of the launch.
        id: u64,
        /// Why, for the user.
        error: String,
    },
    /// Its main process has exited, and whatever else it had started was killed. Nothing follows.
    Exited {
        /// The id of the launch.
        id: u64,
        /// How the main process ended.
        status: ExitStatus,
    },
    /// The keeper has ended, and all programs with it. Nothing follows; another keeper can be started.
    Lost(String),
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitStatus {
    /// Its exit status, if it exited by itself.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Whether the kernel has killed a process of the program because it used more memory than its limit. Only known
    /// with a cgroup.
    pub is_out_of_memory: bool,
}

impl ExitStatus {
    /// Whether it exited with status 0.
    pub fn is_success(self) -> bool {
        self.code == Some(0)
    }
}

/// `exited with status 1`, `was killed by SIGKILL`
impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exited with status {code}")?,
            (None, Some(number)) => {
                let signal = nix::sys::signal::Signal::try_from(number);
                match signal {
                    Ok(signal) => write!(f, "was killed by {signal}")?,
                    Err(_) => write!(f, "was killed by signal {number}")?,
                }
            }
            (None, None) => f.write_str("ended")?,
        }
        if self.is_out_of_memory { f.write_str(", out of memory: see `limits.memory`") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_shown_in_words() {
        let shown = |code, signal, is_out_of_memory| ExitStatus { code, signal, is_out_of_memory }.to_string();
        assert_eq!(shown(Some(3), None, false), "exited with status 3");
        assert_eq!(shown(None, Some(15), false), "was killed by SIGTERM");
        assert_eq!(shown(None, Some(40), false), "was killed by signal 40");
        assert_eq!(shown(None, Some(9), true), "was killed by SIGKILL, out of memory: see `limits.memory`");
    }
}
