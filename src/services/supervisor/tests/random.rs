//! Random events: whatever has happened, a service recovers once nothing fails any more.

use super::{
    super::{process::Phase, world::Event},
    bench::Bench,
};
use crate::services::{handle::Order, report::ServiceState};

/// Random numbers, the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> Option<T> {
        (!choices.is_empty()).then(|| choices[self.below(choices.len())])
    }
}

fn service(command: &str, instances: usize, keys: &str) -> String {
    format!("[services.web]\ncommand = [\"{command}\"]\ninstances = {instances}\nidle_stop = \"60s\"\n{keys}\n")
}

impl Bench {
    fn processes(&self, is_one: impl Fn(Phase) -> bool) -> Vec<u64> {
        self.fleet.processes().filter(|process| is_one(process.phase)).map(|process| process.id).collect()
    }

    /// Lets everything go well for a while.
    fn recover(&mut self) {
        for _ in 0..40 {
            self.request_waits();
            self.all_ready();
            self.advance(1_000);
        }
    }
}

#[test]
fn services_always_recover() {
    for seed in 0..40 {
        let mut random = Random(seed);
        let mut bench = Bench::new(&service("one", 2, ""));
        let (mut is_running, mut instances) = (true, 2);
        for _ in 0..60 {
            match random.below(12) {
                0..3 => bench.advance([1, 50, 100, 3_000][random.below(4)]),
                3..5 => {
                    let starting = bench.processes(|phase| matches!(phase, Phase::Starting(_)));
                    if let Some(id) = random.of(&starting) {
                        bench.event(id, Event::Ready);
                    }
                }
                5..7 => {
                    if let Some(id) = random.of(&bench.processes(|_| true)) {
                        bench.exit(id, 1);
                    }
                }
                7 => {
                    instances = 1 + random.below(3);
                    let command = ["one", "two", "three"][random.below(3)];
                    bench.apply(&service(
                        command,
                        instances,
                        ["", "port = 8081", "listen = \"port\""][random.below(3)],
                    ));
                }
                8 => drop(bench.order(Order::Restart)),
                9 if random.below(4) == 0 => {
                    is_running = !is_running;
                    drop(bench.order(if is_running { Order::Start } else { Order::Stop }));
                }
                10 => bench.world.obeys = !bench.world.obeys,
                11 if random.below(6) == 0 => {
                    bench.lose_all();
                    bench.can_launch();
                }
                _ => {}
            }
            is_running |= bench.state() != ServiceState::Stopped;
            // Checks that routes see the same as the supervisor.
            bench.view("web");
        }
        bench.world.obeys = true;
        bench.recover();
        let view = bench.view("web");
        let is_well = if is_running { bench.state() == ServiceState::Ready } else { view.is_empty() };
        assert!(is_well, "seed {seed}: {:?}: {view}", bench.state());
        if is_running {
            let commands = bench.fleet.processes().map(|process| process.definition.shown.clone());
            let commands: std::collections::BTreeSet<_> = commands.collect();
            assert_eq!(commands.len(), 1, "seed {seed}: {view}");
            assert!(
                bench.report("web").failed_rollout.is_some() || view.split(", ").count() == instances,
                "seed {seed}: {view}"
            );
        }
    }
}

#[test]
fn rollouts_take_no_instance_away() {
    for seed in 0..30 {
        let mut random = Random(seed);
        let mut bench = Bench::ready(&service("one", 3, ""));
        for _ in 0..60 {
            match random.below(10) {
                0..4 => bench.advance([1, 50, 100, 3_000][random.below(4)]),
                4..8 => {
                    let starting = bench.processes(|phase| matches!(phase, Phase::Starting(_)));
                    match random.of(&starting) {
                        Some(id) if random.below(3) == 0 => bench.exit(id, 1),
                        Some(id) => bench.event(id, Event::Ready),
                        None => {}
                    }
                }
                8 => {
                    let command = ["one", "two", "three"][random.below(3)];
                    bench.apply(&service(command, 3, ["", "port = 8081"][random.below(2)]));
                }
                _ => drop(bench.order(Order::Restart)),
            }
            let view = bench.view("web");
            assert!(view.matches(" ready ").count() >= 3, "seed {seed}: {view}");
            // Each has its own address, and one more process than instances runs, or starts.
            let processes = bench.fleet.processes().filter(|process| process.is_live()).count();
            assert!(processes <= 4, "seed {seed}: {view}");
        }
        bench.recover();
        assert_eq!(bench.state(), ServiceState::Ready, "seed {seed}: {}", bench.view("web"));
    }
}
