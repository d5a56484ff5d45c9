//! One instance of a service: its processes, and the pauses between failed ones.

use std::time::Duration;

use tokio::time::Instant;

use super::process::Process;
use crate::{
    services::{report::EventReport, table::Slot},
    settings::endpoint::InstanceAddress,
};

/// The first pause before an instance that has exited is started again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// An instance that has run for this long does not count as failing.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// An instance: one process, or two while one replaces another.
#[derive(Debug, Default)]
pub(super) struct Number {
    /// In the order of their launch.
    pub(super) processes: Vec<Process>,
    /// Failures in a row.
    pub(super) failures: u32,
    /// When it is started again after a failure.
    pub(super) next_start: Option<Instant>,
    /// Whether it is not started again by itself.
    pub(super) is_given_up: bool,
    /// How often it was started again after a failure.
    pub(super) restarts: u64,
    /// How it last ended or failed to start.
    pub(super) last_exit: Option<EventReport>,
    /// The version that was last launched.
    pub(super) last_version: u64,
    last_address: Option<InstanceAddress>,
}

impl Number {
    /// The process of this version that serves or is starting.
    pub(super) fn live(&self, version: u64) -> Option<&Process> {
        self.processes.iter().find(|process| process.is_live() && process.version == version)
    }

    /// The same, of another version.
    pub(super) fn live_other(&self, version: u64) -> Option<&Process> {
        self.processes.iter().find(|process| process.is_live() && process.version != version)
    }

    /// Whether a process of this version serves, and no other is left.
    pub(super) fn is_settled(&self, version: u64) -> bool {
        self.processes.len() == 1
            && self.processes.iter().all(|process| process.is_ready() && process.version == version)
    }

    /// Adds a process that was just launched.
    pub(super) fn add(&mut self, process: Process) {
        if self.next_start.take().is_some() {
            self.restarts += 1;
        }
        self.last_version = process.version;
        self.last_address = Some(process.slot.instance.address.clone());
        self.processes.push(process);
    }

    /// Removes the process with this id.
    pub(super) fn remove(&mut self, id: u64) -> Option<Process> {
        let at = self.processes.iter().position(|process| process.id == id)?;
        Some(self.processes.remove(at))
    }

    /// The slot for the next process: preferably one that routes know, and the one of the last process, so that a restart
    /// keeps the address. `None` if all are in use.
    pub(super) fn free_slot<'a>(
        &self,
        slots: impl Iterator<Item = &'a Slot>,
        is_known: impl Fn(&Slot) -> bool,
    ) -> Option<&'a Slot> {
        let is_used = |slot: &Slot| self.processes.iter().any(|process| process.slot.instance == slot.instance);
        let is_last = |slot: &Slot| self.last_address.as_ref() == Some(&slot.instance.address);
        slots.filter(|slot| !is_used(slot)).min_by_key(|slot| (!is_known(slot), !is_last(slot)))
    }

    /// Where it last listened.
    pub(super) fn last_address(&self) -> Option<String> {
        self.last_address.as_ref().map(ToString::to_string)
    }

    /// Counts a failure of a process that has run for `age`. Returns the pause until it is started again.
    pub(super) fn count_failure(&mut self, age: Duration, longest: Duration) -> Duration {
        if age >= STABLE_AFTER {
            self.failures = 0;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(20)).min(longest);
        self.failures += 1;
        pause
    }

    /// Forgets failures.
    pub(super) fn forgive(&mut self) {
        (self.failures, self.next_start, self.is_given_up) = (0, None, false);
    }
}
