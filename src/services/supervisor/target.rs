//! What a service should run, and whether.

use std::sync::Arc;

use crate::{services::table::Instances, settings::Service};

/// What a service should run.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Processes of another version are replaced.
    pub(super) version: u64,
    /// What to run.
    pub(super) definition: Arc<Service>,
    /// Where.
    pub(super) instances: Arc<Instances>,
}

/// Whether a service should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// It should.
    Running,
    /// Not until the next request.
    Idle,
    /// Not until a command starts it.
    Stopped,
    /// It is no longer in the settings.
    Removed,
}

/// The replacement of all processes, one instance at a time.
#[derive(Debug)]
pub(super) struct Rollout {
    /// What runs again if a new process fails; `None` while this is already happening.
    pub(super) back_to: Option<Target>,
    /// Whether a new process has been ready.
    pub(super) has_been_ready: bool,
}
