//! The state of all services.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    process::Phase,
    service::Managed,
    target::Mode,
    waiters::Answer,
    world::{Event, World},
};
use crate::{
    services::{
        handle::{Order, Wanted},
        shared::Shared,
    },
    settings::ServiceName,
};

/// All services. Time, launches and events come from outside.
#[derive(Debug)]
pub(super) struct Fleet {
    services: BTreeMap<ServiceName, Managed>,
    can_launch: bool,
    shared: Arc<Shared>,
}

impl Fleet {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { services: BTreeMap::new(), can_launch: false, shared }
    }

    /// Whether there is no service, not even one that is being stopped.
    pub(super) fn is_empty(&self) -> bool {
        self.services.is_empty()
    }

    /// The longest time that a process may take to stop before it is killed.
    pub(super) fn longest_stop(&self) -> Duration {
        let processes = self.services.values().flat_map(Managed::processes);
        processes.map(|process| process.definition.stop_timeout).max().unwrap_or_default()
    }

    /// When something is due next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.services.values().filter_map(Managed::deadline).min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Instant, world: &mut dyn World) {
        let is_due = |service: &&Managed| service.deadline().is_some_and(|at| at <= now);
        let due = self.services.values().filter(is_due);
        for name in due.map(|service| service.name.clone()).collect::<Vec<_>>() {
            self.change(&name, now, world, |service, now, world| service.tick(now, world));
        }
    }

    /// Runs the services of the settings, and no others.
    pub(super) fn apply(&mut self, wanted: Wanted, now: Instant, world: &mut dyn World) {
        let Wanted { services, mut instances, drain_limit, .. } = wanted;
        let mut names: Vec<_> = self.services.keys().cloned().collect();
        for service in services {
            let Some(instances) = instances.remove(&service.name) else { continue };
            let name = service.name.clone();
            names.retain(|other| *other != name);
            let definition = Arc::new(service);
            match self.services.entry(name.clone()) {
                Entry::Vacant(place) => {
                    let service = place.insert(Managed::new(definition, instances, drain_limit, now));
                    // Before the launch: its processes write to the lines that are kept by name.
                    self.shared.show(service.report(), &service.configured.1.readiness);
                }
                Entry::Occupied(mut place) => place.get_mut().configure(definition, instances, drain_limit, now),
            }
            self.change(&name, now, world, |_, _, _| {});
        }
        for name in names {
            self.change(&name, now, world, |service, _, _| service.remove());
        }
    }

    /// A command.
    pub(super) fn order(&mut self, name: &str, order: Order, answer: Answer, now: Instant, world: &mut dyn World) {
        let Some(name) = name.parse().ok().filter(|name| self.services.contains_key(name)) else {
            let _ = answer.send(Err(format!("there is no service {name}")));
            return;
        };
        self.change(&name, now, world, |service, now, _| match order {
            Order::Start => service.start(answer, now),
            Order::Stop => service.stop(answer),
            Order::Restart => service.restart(Some(answer), now),
        });
    }

    /// A watched file has changed.
    pub(super) fn file_changed(&mut self, name: &ServiceName, now: Instant, world: &mut dyn World) {
        self.change(name, now, world, |service, now, _| match service.mode {
            Mode::Running => service.restart(None, now),
            // It runs the new files anyway once it is started.
            Mode::Idle | Mode::Stopped | Mode::Removed => {}
        });
    }

    /// A request waits for a service.
    pub(super) fn request_waits(&mut self, name: &ServiceName, now: Instant, world: &mut dyn World) {
        self.change(name, now, world, |service, now, _| service.wake(now));
    }

    /// Something happened to a process.
    pub(super) fn event(&mut self, id: u64, event: Event, now: Instant, world: &mut dyn World) {
        let name = self.services.values().find(|service| service.owns(id)).map(|service| service.name.clone());
        if let Some(name) = name {
            self.change(&name, now, world, |service, now, world| service.on_event(id, event, now, world));
        }
    }

    /// Whether a process has not been ready yet.
    pub(super) fn is_starting(&self, id: u64) -> bool {
        let mut processes = self.services.values().flat_map(Managed::processes);
        processes.any(|process| process.id == id && matches!(process.phase, Phase::Starting(_)))
    }

    /// Processes can be launched from now on.
    pub(super) fn can_launch(&mut self, now: Instant, world: &mut dyn World) {
        self.can_launch = true;
        self.change_all(now, world, |_, _, _| {});
    }

    /// All processes are gone, and none can be launched.
    pub(super) fn lose_all(&mut self, now: Instant, world: &mut dyn World) {
        self.can_launch = false;
        self.change_all(now, world, |service, _, world| {
            service.processes().for_each(|process| world.forget(process.id));
            service.lose_all();
        });
    }

    /// Stops everything without draining, because no requests are left.
    pub(super) fn stop_all(&mut self, now: Instant, world: &mut dyn World) {
        self.can_launch = false;
        self.change_all(now, world, |service, now, world| service.stop_now(now, world));
    }

    fn change_all(
        &mut self,
        now: Instant,
        world: &mut dyn World,
        mut change: impl FnMut(&mut Managed, Instant, &mut dyn World),
    ) {
        for name in self.services.keys().cloned().collect::<Vec<_>>() {
            self.change(&name, now, world, &mut change);
        }
    }

    /// Changes a service, acts on the change, and publishes the new state.
    fn change(
        &mut self,
        name: &ServiceName,
        now: Instant,
        world: &mut dyn World,
        change: impl FnOnce(&mut Managed, Instant, &mut dyn World),
    ) {
        let Some(service) = self.services.get_mut(name) else { return };
        change(service, now, world);
        service.reconcile(self.can_launch, now, world);
        self.shared.show(service.report(), &service.configured.1.readiness);
        service.waiters.send();
        if service.mode == Mode::Removed && service.processes().next().is_none() {
            self.services.remove(name);
            self.shared.forget(name.as_str());
        }
    }
}

#[cfg(test)]
impl Fleet {
    pub(super) fn processes(&self) -> impl Iterator<Item = &super::process::Process> {
        self.services.values().flat_map(Managed::processes)
    }
}
