//! Handles events of processes.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    event::happened,
    process::Phase,
    service::{LateStart, Managed, find},
    world::{Ending, Event, World},
};
use crate::settings::Restart;

/// A process that has failed.
struct Failure {
    version: u64,
    /// How long it had been running.
    age: Duration,
    was_ready: bool,
    is_success: bool,
    /// `exited with status 1 after 3s`
    text: String,
}

impl Managed {
    /// Handles an event of one of its processes.
    pub(super) fn on_event(&mut self, id: u64, event: Event, now: Instant, world: &mut dyn World) {
        let Some((number, process)) = find(&mut self.numbers, id) else { return };
        match event {
            Event::Started(pid) => process.pid = Some(pid),
            Event::Ready => {
                if let Phase::Starting(_) = process.phase {
                    process.phase = Phase::Ready;
                    let took = shown(process.age(now));
                    tracing::info!("service {}/{number} is ready after {took}", self.name);
                    process.slot.health.resume();
                    let version = process.version;
                    self.was_ready(version);
                    self.show_readiness();
                }
            }
            Event::Leaving => {
                process.is_leaving = true;
                self.take_out(id);
            }
            Event::Ended(ending) => self.on_end(id, number, ending, now, world),
        }
    }

    fn on_end(&mut self, id: u64, number: u16, ending: Ending, now: Instant, world: &mut dyn World) {
        let Some(state) = self.numbers.get_mut(&number) else { return };
        let Some(process) = state.remove(id) else { return };
        self.show_readiness();
        let Ending { mut text, is_success, was_launched } = ending;
        let age = process.age(now);
        if was_launched {
            text = format!("{text} after {}", shown(age));
        }
        let was_ready = process.phase == Phase::Ready;
        match process.phase {
            Phase::Starting(_) | Phase::Ready => {
                if !was_ready && was_launched {
                    let line = world.last_line(id).map(|line| format!(": {line}")).unwrap_or_default();
                    text = format!("{text}, before it was ready{line}");
                }
                self.on_failure(number, Failure { version: process.version, age, was_ready, is_success, text }, now);
            }
            // As intended. If it was killed because it was not ready in time, that failure was counted then.
            Phase::Draining { .. } | Phase::Stopping(_) | Phase::Killed => {
                tracing::info!("service {}/{number} {text}", self.name);
            }
        }
        world.forget(id);
    }

    /// A process was not ready in time.
    pub(super) fn not_ready_in_time(&mut self, number: u16, late: &LateStart, text: String, now: Instant) {
        let LateStart { version, age } = *late;
        self.on_failure(number, Failure { version, age, was_ready: false, is_success: false, text }, now);
    }

    fn on_failure(&mut self, number: u16, failure: Failure, now: Instant) {
        let Failure { version, age, was_ready, is_success, text } = failure;
        let instance = format!("{}/{number}", self.name);
        let Some(state) = self.numbers.get_mut(&number) else { return };
        state.last_exit = Some(happened(text.clone()));
        if version != self.target.version && state.live(self.target.version).is_some() {
            tracing::warn!("service {instance} {text}; it is being replaced anyway");
            return;
        }
        // A process that starts slowly must not count as stable.
        let stable_for = if was_ready { age } else { Duration::ZERO };
        let pause = state.count_failure(stable_for, self.target.definition.max_backoff);
        let failures = state.failures;
        if self.fail_rollout(version, was_ready, failures, &format!("{instance} {text}")) {
            return;
        }
        let Some(state) = self.numbers.get_mut(&number) else { return };
        let is_restarted = match self.target.definition.restart {
            Restart::Always => true,
            Restart::OnFailure => !is_success,
            Restart::Never => false,
        };
        if is_restarted {
            state.next_start = Some(now + pause);
            tracing::warn!("service {instance} {text}; starting it again in {}", shown(pause));
        } else {
            state.is_given_up = true;
            tracing::warn!("service {instance} {text}; `restart` does not allow another start");
        }
        if self.rollout.is_none() {
            self.waiters.failed(&format!("{instance} {text}"));
        }
    }
}

/// A time, rounded so that people can read it.
fn shown(time: Duration) -> humantime::FormattedDuration {
    let step = if time < Duration::from_secs(1) {
        1
    } else if time < Duration::from_secs(10) {
        100
    } else {
        1000
    };
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    humantime::format_duration(Duration::from_millis(millis / step * step))
}
