//! The report on a service.

use super::{
    event::seconds,
    number::Number,
    process::{Phase, Process},
    service::Managed,
    target::Mode,
};
use crate::services::report::{InstanceReport, InstanceState, ServiceReport, ServiceState};

impl Managed {
    /// Its report, without what changes all the time: waiting requests, memory and processor time.
    pub(super) fn report(&self) -> ServiceReport {
        ServiceReport {
            name: self.name.to_string(),
            command: self.target.definition.shown.clone(),
            state: self.state(),
            waiting_requests: 0,
            failed_rollout: self.failed_rollout.clone(),
            instances: self.numbers.iter().flat_map(|(number, state)| self.instances(*number, state)).collect(),
        }
    }

    pub(super) fn state(&self) -> ServiceState {
        let wanted = self.numbers.range(..=self.wanted()).map(|(_, state)| state);
        let is_given_up = |state: &Number| state.is_given_up && state.processes.is_empty();
        let ready = self.numbers.values().filter(|state| state.processes.iter().any(Process::is_ready)).count();
        match self.mode {
            Mode::Idle => ServiceState::Idle,
            Mode::Stopped | Mode::Removed => ServiceState::Stopped,
            Mode::Running if self.rollout.is_some() => ServiceState::RollingOut,
            Mode::Running if !self.numbers.is_empty() && wanted.clone().all(is_given_up) => ServiceState::Failed,
            Mode::Running if ready >= self.wanted().into() => ServiceState::Ready,
            Mode::Running if ready == 0 => ServiceState::Starting,
            Mode::Running => ServiceState::Degraded,
        }
    }

    fn instances(&self, number: u16, state: &Number) -> Vec<InstanceReport> {
        let report = |address: String, instance: InstanceState, process: Option<&Process>| InstanceReport {
            number,
            address,
            state: instance,
            pid: process.and_then(|process| process.pid),
            started: process.map(|process| seconds(process.started)),
            restarts: state.restarts,
            memory_bytes: None,
            cpu_ms: None,
            last_exit: state.last_exit.clone(),
        };
        if state.processes.is_empty() {
            let waits = self.mode == Mode::Running && state.next_start.is_some();
            let instance = match waits {
                true => InstanceState::BackingOff,
                false if self.mode == Mode::Running && !state.is_given_up => InstanceState::Starting,
                false => InstanceState::Stopped,
            };
            return vec![report(state.last_address().unwrap_or_default(), instance, None)];
        }
        let of = |process: &Process| {
            let instance = match process.phase {
                Phase::Starting(_) => InstanceState::Starting,
                Phase::Ready if process.is_leaving => InstanceState::Draining,
                Phase::Ready => InstanceState::Ready,
                Phase::Draining { .. } => InstanceState::Draining,
                Phase::Stopping(_) | Phase::Killed => InstanceState::Stopping,
            };
            report(process.slot.instance.address.to_string(), instance, Some(process))
        };
        state.processes.iter().map(of).collect()
    }
}
