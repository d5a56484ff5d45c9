//! Applies settings and commands to a service.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    activity::Activity,
    service::Managed,
    target::{Mode, Rollout, Target},
    waiters::Answer,
};
use crate::{services::table::Instances, settings::Service};

impl Managed {
    /// Applies new settings. Processes are replaced only if they would run differently.
    pub(super) fn configure(
        &mut self,
        definition: Arc<Service>,
        instances: Arc<Instances>,
        drain_limit: Duration,
        now: Instant,
    ) {
        self.drain_limit = drain_limit;
        self.configured = (Arc::clone(&definition), Arc::clone(&instances));
        self.move_to(&instances);
        if self.mode == Mode::Removed {
            self.mode = Mode::Running;
            self.activity = Activity::new(now);
        }
        let runs_like = |target: &Target| target.definition.runs_like(&definition);
        let back_to = self.rollout.as_ref().and_then(|rollout| rollout.back_to.as_ref());
        if runs_like(&self.target) {
            self.adopt(self.target.version, &definition, &instances);
        } else if let Some(back_to) = back_to.filter(|back_to| runs_like(back_to)).cloned() {
            // The user has reverted the change before it was rolled out.
            self.adopt(back_to.version, &definition, &instances);
            self.roll_back(Target { version: back_to.version, definition, instances });
        } else {
            let version = self.next_version();
            self.roll_out(Target { version, definition, instances });
        }
    }

    /// Applies settings that need no new processes.
    fn adopt(&mut self, version: u64, definition: &Arc<Service>, instances: &Arc<Instances>) {
        let back_to = self.rollout.as_mut().and_then(|rollout| rollout.back_to.as_mut());
        for target in [Some(&mut self.target), self.proven.as_mut(), back_to].into_iter().flatten() {
            if target.version == version {
                (target.definition, target.instances) = (Arc::clone(definition), Arc::clone(instances));
            }
        }
        let processes = self.numbers.values_mut().flat_map(|number| &mut number.processes);
        for process in processes.filter(|process| process.version == version) {
            process.definition = Arc::clone(definition);
        }
    }

    /// Uses the slots of `instances` for the processes that run there.
    fn move_to(&mut self, instances: &Instances) {
        for process in self.numbers.values_mut().flat_map(|number| &mut number.processes) {
            if let Some(slot) = instances.slots.iter().find(|slot| slot.instance == process.slot.instance) {
                process.move_to(slot);
            }
        }
    }

    /// It is no longer in the settings.
    pub(super) fn remove(&mut self) {
        self.rest(Mode::Removed);
        self.waiters.failed("the service was removed from the settings");
    }

    /// Stops it until it is started again.
    pub(super) fn stop(&mut self, answer: Answer) {
        self.rest(Mode::Stopped);
        self.waiters.stopped(answer);
    }

    /// Starts it if it is stopped, and restarts instances that were given up.
    pub(super) fn start(&mut self, answer: Answer, now: Instant) {
        if self.mode != Mode::Removed {
            self.numbers.values_mut().for_each(super::number::Number::forgive);
            self.run(now);
        }
        self.waiters.up(answer);
    }

    /// Replaces all processes by new ones, as the settings say.
    pub(super) fn restart(&mut self, answer: Option<Answer>, now: Instant) {
        if self.mode != Mode::Removed {
            let (definition, instances) = self.configured.clone();
            let version = self.next_version();
            if self.mode == Mode::Running {
                self.roll_out(Target { version, definition, instances });
            } else {
                self.run(now);
            }
        }
        if let Some(answer) = answer {
            self.waiters.up(answer);
        }
    }

    /// Runs from now on.
    pub(super) fn run(&mut self, now: Instant) {
        if self.mode != Mode::Running {
            let (definition, instances) = self.configured.clone();
            let version =
                if self.target.definition.runs_like(&definition) { self.target.version } else { self.next_version() };
            self.target = Target { version, definition, instances };
            self.numbers.values_mut().for_each(super::number::Number::forgive);
            (self.mode, self.activity) = (Mode::Running, Activity::new(now));
        }
    }

    /// Stops running. This cancels a rollout.
    pub(super) fn rest(&mut self, mode: Mode) {
        if let Some(Rollout { back_to: Some(_), .. }) = self.rollout {
            tracing::info!("service {}: the rollout is cancelled", self.name);
        }
        self.rollout = None;
        self.mode = mode;
    }

    /// All processes are gone, because the keeper has ended.
    pub(super) fn lose_all(&mut self) {
        self.numbers.values_mut().for_each(|number| {
            for process in &mut number.processes {
                process.is_leaving = true;
            }
        });
        self.show_readiness();
        self.numbers.values_mut().for_each(|number| {
            number.processes.clear();
            number.forgive();
        });
    }

    fn next_version(&mut self) -> u64 {
        self.last_version += 1;
        self.last_version
    }
}
