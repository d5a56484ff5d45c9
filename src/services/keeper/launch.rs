//! What to start.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::net::unix::pipe::Receiver;

use crate::settings::ServiceLimits;

/// A program to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// Its name in messages and cgroups: `web-1`.
    pub label: String,
    /// The program and its arguments. A program without a slash is looked up in the PATH of `env`.
    pub program: Vec<String>,
    /// All its variables. The keeper adds `SERVICE_KEEPER`, by which it recognizes what the program has started.
    pub env: Vec<(String, String)>,
    /// The working directory; `None`: that of pmesh.
    pub cwd: Option<PathBuf>,
    /// The user id, group id and name of the user to run as; `None`: the user of pmesh. The user's other groups are
    /// looked up.
    pub user: Option<(u32, u32, String)>,
    /// What it may use.
    #[serde(with = "LimitsOnTheWire")]
    pub limits: ServiceLimits,
    /// The signal that asks it to stop if pmesh ends.
    pub stop_signal: i32,
    /// How long it may take to stop if pmesh ends, at most 10 seconds.
    pub stop_timeout: Duration,
}

/// What a program writes, without buffering. Both end when all processes that hold the pipes have exited.
#[derive(Debug)]
pub struct Output {
    /// Its standard output.
    pub stdout: Receiver,
    /// Its standard error.
    pub stderr: Receiver,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "ServiceLimits")]
struct LimitsOnTheWire {
    memory: Option<u64>,
    open_files: Option<u64>,
    millicpus: Option<u32>,
}
