//! What the state of the services needs from outside, and what happens there.

use pmesh_layers::wait_ready::Readiness;

use crate::{
    services::{table::Slot, traffic::Use},
    settings::{Service, ServiceName, endpoint::Instance},
};

/// What the state of the services needs from outside.
pub(super) trait World {
    /// A new id for a process.
    fn new_id(&mut self) -> u64;

    /// Launches a process. If this fails, [`Event::Ended`] says so.
    fn launch(&mut self, id: u64, service: &Service, slot: &Slot);

    /// Sends a signal to a process.
    fn signal(&mut self, id: u64, signal: i32);

    /// Kills a process and everything that it has started.
    fn kill(&mut self, id: u64);

    /// Why a process is not ready yet.
    fn doubt(&self, id: u64) -> Option<String>;

    /// The line that says why a process has ended, if it wrote one.
    fn last_line(&self, id: u64) -> Option<String>;

    /// Called when a process is gone.
    fn forget(&mut self, id: u64);

    /// The requests to an instance.
    fn traffic(&self, instance: &Instance) -> Use;

    /// Reports once a request waits for this service.
    fn await_request(&mut self, name: &ServiceName, readiness: &Readiness);
}

/// What happens to a process.
#[derive(Debug)]
pub(super) enum Event {
    /// It runs, with this process id.
    Started(u32),
    /// It can serve.
    Ready,
    /// It has said that it is about to exit.
    Leaving,
    /// It is gone.
    Ended(Ending),
}

/// How a process has ended.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    /// What to say about it: `exited with status 1`.
    pub(super) text: String,
    /// Whether it exited with status 0.
    pub(super) is_success: bool,
    /// Whether it was started at all.
    pub(super) was_launched: bool,
}
