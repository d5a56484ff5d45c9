//! The state of services, in a world where only a test makes things happen.

use std::{collections::HashMap, sync::Arc, time::Duration};

use pmesh_layers::wait_ready::Readiness;
use tokio::{sync::oneshot, time::Instant};

use super::super::{
    fleet::Fleet,
    process::{Phase, Process},
    world::{Ending, Event, World},
};
use crate::{
    cli::Arguments,
    config::{Defaults, Source},
    services::{
        handle::{Order, Wanted},
        report::{ServiceReport, ServiceState},
        shared::Shared,
        table::{ServiceTable, Slot},
        traffic::Use,
    },
    settings::{Service, ServiceName, Settings, endpoint::Instance},
};

/// The state, and the world around it.
pub(super) struct Bench {
    pub(super) fleet: Fleet,
    pub(super) world: Fake,
    pub(super) shared: Arc<Shared>,
    table: ServiceTable,
    now: Instant,
    home: tempfile::TempDir,
}

/// A world that does nothing by itself.
#[derive(Default)]
pub(super) struct Fake {
    last_id: u64,
    /// What was done, in order: `launch 1 one`, `signal 1 15`, `kill 1`.
    pub(super) done: Vec<String>,
    /// How the instances at these addresses are used.
    pub(super) uses: HashMap<Instance, Use>,
    /// Whether processes exit as soon as they are asked to.
    pub(super) obeys: bool,
    asked: Vec<u64>,
    pub(super) awaited: usize,
}

impl World for Fake {
    fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn launch(&mut self, id: u64, service: &Service, _: &Slot) {
        self.done.push(format!("launch {id} {}", service.shown));
    }

    fn signal(&mut self, id: u64, signal: i32) {
        self.done.push(format!("signal {id} {signal}"));
        self.asked.push(id);
    }

    fn kill(&mut self, id: u64) {
        self.done.push(format!("kill {id}"));
        self.asked.push(id);
    }

    fn doubt(&self, _: u64) -> Option<String> {
        Some("no answer".to_owned())
    }

    fn last_line(&self, _: u64) -> Option<String> {
        Some("no module".to_owned())
    }

    fn forget(&mut self, id: u64) {
        self.done.push(format!("gone {id}"));
    }

    fn traffic(&self, instance: &Instance) -> Use {
        self.uses.get(instance).copied().unwrap_or_default()
    }

    fn await_request(&mut self, _: &ServiceName, _: &Readiness) {
        self.awaited += 1;
    }
}

impl Bench {
    /// Runs these services. Processes can be launched, and obey.
    pub(super) fn new(services: &str) -> Self {
        let shared = Arc::<Shared>::default();
        let mut bench = Self {
            fleet: Fleet::new(Arc::clone(&shared)),
            world: Fake { obeys: true, ..Fake::default() },
            shared,
            table: ServiceTable::new(),
            now: Instant::now(),
            home: tempfile::tempdir().unwrap(),
        };
        bench.apply(services);
        bench.fleet.can_launch(bench.now, &mut bench.world);
        bench
    }

    /// Like `new`, and all processes are ready.
    pub(super) fn ready(services: &str) -> Self {
        let mut bench = Self::new(services);
        bench.all_ready();
        bench.world.done.clear();
        bench
    }

    /// Reloads with these services.
    pub(super) fn apply(&mut self, services: &str) {
        let settings = self.settings(services);
        self.table.assign(&settings).unwrap();
        let instances = self.table.snapshot();
        self.table.keep_only(&instances);
        let (services, home, drain_limit) = (settings.services, settings.home, Duration::from_secs(5));
        self.fleet.apply(Wanted { services, instances, drain_limit, home }, self.now, &mut self.world);
        self.obey();
    }

    fn settings(&self, services: &str) -> Settings {
        let path = self.home.path().join("config.toml");
        std::fs::write(&path, services).unwrap();
        let arguments = ["pmesh", "--config", path.to_str().unwrap(), "--home", self.home.path().to_str().unwrap()];
        let source = Source::new(Arguments::parse(arguments).unwrap().flags, [], Defaults::none());
        source.load().unwrap().settings
    }

    /// Lets time pass.
    pub(super) fn advance(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        let mut steps = 0;
        while let Some(at) = self.fleet.deadline().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.fleet.tick(self.now, &mut self.world);
            self.obey();
            steps += 1;
            assert!(steps < 10_000, "there is always something due: {}", self.view("web"));
        }
        self.now = end;
    }

    pub(super) fn event(&mut self, id: u64, event: Event) {
        self.fleet.event(id, event, self.now, &mut self.world);
        self.obey();
    }

    /// A process exits with this status.
    pub(super) fn exit(&mut self, id: u64, status: i32) {
        let text = format!("exited with status {status}");
        self.event(id, Event::Ended(Ending { text, is_success: status == 0, was_launched: true }));
    }

    /// All processes that are starting, and those that follow, become ready.
    pub(super) fn all_ready(&mut self) {
        while let Some(id) = self.find(|process| matches!(process.phase, Phase::Starting(_))) {
            self.event(id, Event::Started(id.try_into().unwrap()));
            self.event(id, Event::Ready);
        }
    }

    pub(super) fn order(&mut self, order: Order) -> oneshot::Receiver<Result<(), String>> {
        let (sender, outcome) = oneshot::channel();
        self.fleet.order("web", order, sender, self.now, &mut self.world);
        self.obey();
        outcome
    }

    pub(super) fn lose_all(&mut self) {
        self.fleet.lose_all(self.now, &mut self.world);
    }

    pub(super) fn can_launch(&mut self) {
        self.fleet.can_launch(self.now, &mut self.world);
    }

    pub(super) fn stop_all(&mut self) {
        self.fleet.stop_all(self.now, &mut self.world);
        self.obey();
    }

    pub(super) fn request_waits(&mut self) {
        self.fleet.request_waits(&"web".parse().unwrap(), self.now, &mut self.world);
        self.obey();
    }

    /// Sets how the process with this id is used.
    pub(super) fn set_use(&mut self, id: u64, requests: u64, in_use: usize) {
        let instance = self.process(id).slot.instance.clone();
        self.world.uses.insert(instance, Use { requests, in_use });
    }

    fn obey(&mut self) {
        while self.world.obeys && !self.world.asked.is_empty() {
            for id in std::mem::take(&mut self.world.asked) {
                let ending = Ending { text: "exited with status 0".to_owned(), is_success: true, was_launched: true };
                self.fleet.event(id, Event::Ended(ending), self.now, &mut self.world);
            }
        }
    }

    pub(super) fn process(&self, id: u64) -> &Process {
        self.fleet.processes().find(|process| process.id == id).unwrap()
    }

    fn find(&self, is_it: impl Fn(&&Process) -> bool) -> Option<u64> {
        self.fleet.processes().find(is_it).map(|process| process.id)
    }

    pub(super) fn report(&self, name: &str) -> ServiceReport {
        self.shared.report_on(name).unwrap()
    }

    pub(super) fn state(&self) -> ServiceState {
        self.report("web").state
    }

    /// All processes of a service in brief: `1:a#3 ready one`. Checks that routes see the same.
    pub(super) fn view(&self, name: &str) -> String {
        let mut parts = Vec::new();
        let mut is_any_ready = false;
        let processes = self.fleet.processes().filter(|process| process.slot.instance.service.as_str() == name);
        for process in processes {
            let phase = match process.phase {
                Phase::Starting(_) => "starting",
                Phase::Ready => "ready",
                Phase::Draining { .. } => "draining",
                Phase::Stopping(_) => "stopping",
                Phase::Killed => "killed",
            };
            assert_eq!(process.slot.health.is_drained(), !process.is_ready(), "{phase}");
            assert!(process.slot.is_occupied());
            is_any_ready |= process.is_ready();
            let (number, half) = (process.slot.instance.number, process.slot.half());
            parts.push(format!("{number}{half}#{} {phase} {}", process.id, process.definition.shown));
        }
        if let Some(instances) = self.table.get(&name.parse().unwrap()) {
            assert_eq!(instances.readiness.is_ready(), is_any_ready, "{parts:?}");
        }
        parts.join(", ")
    }
}
