//! The state of one service, and the steps from there to its target.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    activity::Activity,
    number::Number,
    process::{Phase, Process},
    target::{Mode, Rollout, Target},
    waiters::Waiters,
    world::World,
};
use crate::{
    services::{
        report::{EventReport, ServiceState},
        table::{Instances, Slot},
    },
    settings::{Service, ServiceName},
};

/// The shortest time that a process drains, so that requests that were just sent to it show up in the counts.
const MIN_DRAIN: Duration = Duration::from_millis(100);

/// How often to look whether a process still has requests.
const DRAIN_LOOK: Duration = Duration::from_millis(25);

/// A service.
#[derive(Debug)]
pub(super) struct Managed {
    pub(super) name: ServiceName,
    /// What the settings say.
    pub(super) configured: (Arc<Service>, Arc<Instances>),
    /// What it should run now. Differs from the settings after a rollout that was rolled back.
    pub(super) target: Target,
    /// The last target that has been ready.
    pub(super) proven: Option<Target>,
    pub(super) rollout: Option<Rollout>,
    pub(super) mode: Mode,
    /// By number, from 1.
    pub(super) numbers: BTreeMap<u16, Number>,
    pub(super) failed_rollout: Option<EventReport>,
    pub(super) last_version: u64,
    /// How long a process may drain.
    pub(super) drain_limit: Duration,
    pub(super) activity: Activity,
    pub(super) waiters: Waiters,
    /// When it was last brought closer to the target.
    reconciled: Instant,
}

impl Managed {
    /// Creates a service that does not run yet.
    pub(super) fn new(
        definition: Arc<Service>,
        instances: Arc<Instances>,
        drain_limit: Duration,
        now: Instant,
    ) -> Self {
        Self {
            name: definition.name.clone(),
            configured: (Arc::clone(&definition), Arc::clone(&instances)),
            target: Target { version: 1, definition, instances },
            proven: None,
            rollout: None,
            mode: Mode::Running,
            numbers: BTreeMap::new(),
            failed_rollout: None,
            last_version: 1,
            drain_limit,
            activity: Activity::new(now),
            waiters: Waiters::default(),
            reconciled: now,
        }
    }

    /// All its processes.
    pub(super) fn processes(&self) -> impl Iterator<Item = &Process> {
        self.numbers.values().flat_map(|number| &number.processes)
    }

    /// Whether the process with this id belongs to it.
    pub(super) fn owns(&self, id: u64) -> bool {
        self.processes().any(|process| process.id == id)
    }

    /// How many instances there should be.
    pub(super) fn wanted(&self) -> u16 {
        if self.mode == Mode::Running { self.target.definition.instances } else { 0 }
    }

    /// Whether each instance that should run is ready, and nothing else runs.
    pub(super) fn is_settled(&self) -> bool {
        self.numbers.iter().all(|(number, state)| match *number <= self.wanted() {
            true => state.is_settled(self.target.version),
            false => state.processes.is_empty(),
        }) && (1..=self.wanted()).all(|number| self.numbers.contains_key(&number))
    }

    /// When something is due next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let processes = self.processes().filter_map(Process::deadline);
        let is_running = self.mode == Mode::Running;
        // A start that was due at the last reconciliation waits for something else.
        let is_news = |at: &Instant| is_running && *at > self.reconciled;
        let starts = self.numbers.values().filter_map(|number| number.next_start).filter(is_news);
        processes.chain(starts).chain(self.idle_deadline()).min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant, world: &mut dyn World) {
        let is_due = |process: &&Process| process.deadline().is_some_and(|at| at <= now);
        let due: Vec<_> = self.processes().filter(is_due).map(|process| process.id).collect();
        for id in due {
            self.tick_process(id, now, world);
        }
        self.check_idle(now, world);
    }

    fn tick_process(&mut self, id: u64, now: Instant, world: &mut dyn World) {
        let Some((number, process)) = find(&mut self.numbers, id) else { return };
        match process.phase {
            Phase::Starting(_) => {
                world.kill(id);
                process.phase = Phase::Killed;
                let late = LateStart { version: process.version, age: process.age(now) };
                let limit = humantime::format_duration(process.definition.start_timeout);
                let doubt = world.doubt(id).map(|doubt| format!(": {doubt}")).unwrap_or_default();
                self.not_ready_in_time(number, &late, format!("was not ready within {limit}{doubt}"), now);
            }
            Phase::Draining { until, .. } => {
                if now >= until || world.traffic(&process.slot.instance).in_use == 0 {
                    stop(process, now, world);
                } else {
                    process.phase = Phase::Draining { look: now + DRAIN_LOOK, until };
                }
            }
            Phase::Stopping(_) => {
                let limit = humantime::format_duration(process.definition.stop_timeout);
                tracing::warn!("service {}/{number} did not stop within {limit}; killing it", self.name);
                world.kill(id);
                process.phase = Phase::Killed;
            }
            Phase::Ready | Phase::Killed => {}
        }
    }

    /// Gets closer to the target. Called after each change.
    pub(super) fn reconcile(&mut self, can_launch: bool, now: Instant, world: &mut dyn World) {
        self.reconciled = now;
        let wanted = self.wanted();
        let unwanted = self.numbers.range(wanted.saturating_add(1)..).flat_map(|(_, number)| &number.processes);
        let unwanted: Vec<_> = unwanted.filter(|process| process.is_live()).map(|process| process.id).collect();
        unwanted.into_iter().for_each(|id| self.retire(id, now, world));
        let defined = self.target.definition.instances;
        self.numbers.retain(|number, state| *number <= defined || !state.processes.is_empty());
        for number in 1..=wanted {
            self.reconcile_number(number, can_launch, now, world);
        }
        self.finish_rollout();
        self.show_readiness();
        let outcome = self.is_settled().then_some(self.mode);
        self.waiters.reached(outcome, self.mode);
    }

    fn reconcile_number(&mut self, number: u16, can_launch: bool, now: Instant, world: &mut dyn World) {
        let version = self.target.version;
        let state = self.numbers.entry(number).or_default();
        let mut others: Vec<_> =
            state.processes.iter().filter(|other| other.is_live() && other.version != version).collect();
        others.sort_by_key(|other| !other.is_ready());
        let others: Vec<_> = others.into_iter().map(|other| (other.id, other.version, other.is_ready())).collect();
        // Until a new process is ready, one of the others stays.
        let is_new_ready = state.live(version).map(Process::is_ready);
        let spared = usize::from(is_new_ready != Some(true));
        for (id, ..) in others.iter().skip(spared) {
            self.retire(*id, now, world);
        }
        let Some(state) = self.numbers.get(&number).filter(|_| is_new_ready.is_none()) else { return };
        let other = others.first().copied();
        if !can_launch || state.is_given_up || state.next_start.is_some_and(|at| at > now) {
            return;
        }
        let may_step = !self.is_stepping();
        let back_to =
            self.rollout.as_ref().and_then(|rollout| rollout.back_to.as_ref().filter(|_| !rollout.has_been_ready));
        match (other, may_step) {
            (Some((.., true)), true) => self.launch(number, &self.target.clone(), now, world),
            (Some((.., true)), false) => {}
            // It waits for its turn with a process that is known to work.
            (Some((_, version, false)), false) if back_to.is_some_and(|back| back.version == version) => {}
            (Some((old, _, false)), _) => {
                self.retire(old, now, world);
                self.launch(number, &self.target.clone(), now, world);
            }
            (None, true) => self.launch(number, &self.target.clone(), now, world),
            (None, false) => {
                let target = back_to.unwrap_or(&self.target).clone();
                self.launch(number, &target, now, world);
            }
        }
    }

    /// Whether a step of a rollout is not done yet. Without a rollout, there are no steps.
    fn is_stepping(&self) -> bool {
        let version = self.target.version;
        let is_step = |number: &Number| match number.live(version) {
            Some(new) => !new.is_ready() || number.processes.len() > 1,
            // Both addresses are in use.
            None if number.processes.len() > 1 => true,
            // The new process has crashed. It must be ready again before another is replaced.
            None => number.last_version == version && number.live_other(version).is_none() && !number.is_given_up,
        };
        self.rollout.is_some() && self.numbers.range(..=self.wanted()).any(|(_, number)| is_step(number))
    }

    fn launch(&mut self, number: u16, target: &Target, now: Instant, world: &mut dyn World) {
        let Some(state) = self.numbers.get_mut(&number) else { return };
        // After a rollback, routes may not have both slots of the earlier settings, or have new slots for the same addresses.
        let in_routes = |slot: &Slot| self.configured.1.slots.iter().find(|known| known.instance == slot.instance);
        let pair = target.instances.pair(number).into_iter().flatten();
        let Some(slot) = state.free_slot(pair, |slot| in_routes(slot).is_some()) else { return };
        let slot = in_routes(slot).unwrap_or(slot);
        let id = world.new_id();
        state.add(Process::new(id, target.version, Arc::clone(&target.definition), slot.clone(), now));
        world.launch(id, &target.definition, slot);
    }

    /// Drains a process, then stops it.
    pub(super) fn retire(&mut self, id: u64, now: Instant, world: &mut dyn World) {
        let drain_limit = self.drain_limit;
        let Some((_, process)) = find(&mut self.numbers, id) else { return };
        if process.phase == Phase::Ready {
            let until = now + drain_limit.max(MIN_DRAIN);
            process.phase = Phase::Draining { look: now + MIN_DRAIN, until };
            self.take_out(id);
        } else if process.is_live() {
            stop(process, now, world);
        }
    }

    /// Stops all processes without draining, because no requests are left.
    pub(super) fn stop_now(&mut self, now: Instant, world: &mut dyn World) {
        self.mode = Mode::Removed;
        self.show_readiness();
        let stops = |process: &&mut Process| process.is_live() || matches!(process.phase, Phase::Draining { .. });
        for process in self.numbers.values_mut().flat_map(|number| &mut number.processes).filter(stops) {
            process.slot.health.drain();
            stop(process, now, world);
        }
    }

    /// Sends no more requests to a process, which no longer counts as ready.
    pub(super) fn take_out(&mut self, id: u64) {
        // First, so that new requests wait instead of finding no instance.
        self.show_readiness();
        if let Some((_, process)) = find(&mut self.numbers, id) {
            process.slot.health.drain();
        }
    }

    /// Shows routes whether an instance is ready, and whether it is worth waiting for one.
    pub(super) fn show_readiness(&self) {
        let is_ready = self.mode == Mode::Running && self.processes().any(Process::is_ready);
        let readiness = &self.configured.1.readiness;
        if readiness.is_ready() != is_ready {
            readiness.set_ready(is_ready);
        }
        readiness.set_stopped(matches!(self.state(), ServiceState::Stopped | ServiceState::Failed));
    }
}

/// A process that was not ready in time.
pub(super) struct LateStart {
    pub(super) version: u64,
    pub(super) age: Duration,
}

/// Finds a process by its id, with the number of its instance.
pub(super) fn find(numbers: &mut BTreeMap<u16, Number>, id: u64) -> Option<(u16, &mut Process)> {
    numbers
        .iter_mut()
        .find_map(|(number, state)| Some((*number, state.processes.iter_mut().find(|process| process.id == id)?)))
}

/// Asks a process to stop.
fn stop(process: &mut Process, now: Instant, world: &mut dyn World) {
    process.phase = Phase::Stopping(now + process.definition.stop_timeout);
    world.signal(process.id, process.definition.stop_signal.number);
}
