//! Replaces the processes of a service one instance at a time, and rolls back if a new one fails.

use super::{
    event::happened,
    service::Managed,
    target::{Mode, Rollout, Target},
};

/// So many failures of an instance in a row end a rollout, even if the new process was ready each time.
const MAX_FAILURES: u32 = 3;

impl Managed {
    /// Makes `target` what the service should run, and replaces what runs now.
    pub(super) fn roll_out(&mut self, target: Target) {
        self.target = target;
        self.failed_rollout = None;
        self.numbers.values_mut().for_each(super::number::Number::forgive);
        let before = self.proven.as_ref().filter(|before| before.version != self.target.version).cloned();
        self.rollout = match (self.mode, before) {
            (Mode::Running, Some(before)) => {
                tracing::info!("service {}: rolling out {}", self.name, self.target.definition.shown);
                Some(Rollout { back_to: Some(before), has_been_ready: false })
            }
            // There is nothing to go back to, so all instances are replaced at once.
            _ => None,
        };
    }

    /// Goes back to what ran before a rollout that has not finished.
    pub(super) fn roll_back(&mut self, to: Target) {
        self.target = to;
        self.numbers.values_mut().for_each(super::number::Number::forgive);
        self.rollout = Some(Rollout { back_to: None, has_been_ready: true });
    }

    /// A process of this version is ready.
    pub(super) fn was_ready(&mut self, version: u64) {
        if version != self.target.version {
            return;
        }
        match &mut self.rollout {
            Some(rollout) => rollout.has_been_ready = true,
            None => self.proven = Some(self.target.clone()),
        }
    }

    /// Rolls back if the failure of a process of this version is a reason to. Returns whether it does.
    pub(super) fn fail_rollout(&mut self, version: u64, was_ready: bool, failures: u32, message: &str) -> bool {
        if version != self.target.version || was_ready && failures < MAX_FAILURES {
            return false;
        }
        let Some(back_to) = self.rollout.as_mut().and_then(|rollout| rollout.back_to.take()) else { return false };
        tracing::error!("service {}: rolled back, because {message}", self.name);
        self.failed_rollout = Some(happened(message.to_owned()));
        self.roll_back(back_to);
        self.waiters.failed(message);
        true
    }

    /// Ends the rollout if all instances are replaced.
    pub(super) fn finish_rollout(&mut self) {
        let Some(rollout) = &self.rollout else { return };
        let version = self.target.version;
        let is_done = (1..=self.wanted()).all(|number| {
            self.numbers
                .get(&number)
                .is_some_and(|state| state.is_settled(version) || state.is_given_up && state.processes.is_empty())
        });
        if is_done {
            if rollout.back_to.is_some() {
                tracing::info!("service {}: rolled out", self.name);
            }
            self.proven = Some(self.target.clone());
            self.rollout = None;
        }
    }
}
