//! The state of services, as the admin API reports it.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// The state of all services.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ServicesReport {
    /// By name.
    pub services: Vec<ServiceReport>,
}

impl ServicesReport {
    /// The names of the services, by state.
    pub fn by_state(&self) -> BTreeMap<ServiceState, Vec<String>> {
        let mut names = BTreeMap::<_, Vec<_>>::new();
        for service in &self.services {
            names.entry(service.state).or_default().push(service.name.clone());
        }
        names
    }
}

/// The state of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceReport {
    /// Its name.
    pub name: String,
    /// What it runs.
    pub command: String,
    /// Its state as a whole.
    pub state: ServiceState,
    /// Requests that wait for an instance to become ready.
    pub waiting_requests: u64,
    /// Why the last rollout was rolled back, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_rollout: Option<EventReport>,
    /// Its instances, in order; while one replaces another, both.
    pub instances: Vec<InstanceReport>,
}

/// The state of a service as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServiceState {
    /// All instances are ready.
    Ready,
    /// Some instances are ready.
    Degraded,
    /// No instance is ready yet.
    Starting,
    /// Instances are being replaced.
    RollingOut,
    /// Stopped because there were no requests. The next request starts it.
    Idle,
    /// Stopped by a command.
    Stopped,
    /// No instance runs, and none will be started.
    Failed,
}

impl fmt::Display for ServiceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ready => "ready",
            Self::Degraded => "degraded",
            Self::Starting => "starting",
            Self::RollingOut => "rolling out",
            Self::Idle => "idle",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        })
    }
}

/// The state of an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceReport {
    /// Its number, from 1.
    pub number: u16,
    /// Where it listens: `127.1.20.3:8080` or `unix:/path`.
    pub address: String,
    /// Its state.
    pub state: InstanceState,
    /// Its process id, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// When it was started, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<u64>,
    /// How often it was started again since pmesh started, other than by a rollout or a command.
    pub restarts: u64,
    /// Memory of all its processes in bytes, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processor time of all its processes in milliseconds, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// How it last ended or failed to start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<EventReport>,
}

/// The state of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Started, but not ready yet.
    Starting,
    /// Gets requests.
    Ready,
    /// Gets no new requests, and finishes those in flight.
    Draining,
    /// Was asked to stop.
    Stopping,
    /// Waits before it is started again.
    BackingOff,
    /// Does not run, and is not started again by itself.
    Stopped,
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::BackingOff => "backing off",
            Self::Stopped => "stopped",
        })
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventReport {
    /// What.
    pub message: String,
    /// When, in seconds since 1970.
    pub time: u64,
}

/// A line that an instance wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputLine {
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// The service.
    pub service: String,
    /// The number of the instance.
    pub instance: u16,
    /// Whether it came from standard error.
    pub is_stderr: bool,
    /// The text, without the line break.
    pub text: String,
}
