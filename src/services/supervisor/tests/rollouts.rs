//! Rollouts and rollbacks.

use super::{super::world::Event, bench::Bench};
use crate::services::{handle::Order, report::ServiceState};

fn service(command: &str, instances: u16) -> String {
    format!("[services.web]\ncommand = [\"{command}\"]\ninstances = {instances}\n")
}

#[test]
fn instances_are_replaced_one_by_one() {
    let mut bench = Bench::ready(&service("one", 2));
    bench.apply(&service("two", 2));
    assert_eq!(bench.view("web"), "1a#1 ready one, 1b#3 starting two, 2a#2 ready one");
    assert_eq!(bench.state(), ServiceState::RollingOut);
    bench.event(3, Event::Ready);
    assert_eq!(bench.view("web"), "1a#1 draining one, 1b#3 ready two, 2a#2 ready one");
    bench.advance(99);
    assert_eq!(bench.view("web"), "1a#1 draining one, 1b#3 ready two, 2a#2 ready one");
    bench.advance(1);
    assert_eq!(bench.view("web"), "1b#3 ready two, 2a#2 ready one, 2b#4 starting two");
    bench.event(4, Event::Ready);
    bench.advance(100);
    assert_eq!(bench.view("web"), "1b#3 ready two, 2b#4 ready two");
    let report = bench.report("web");
    assert_eq!((report.state, report.failed_rollout), (ServiceState::Ready, None));
    assert_eq!(report.instances.iter().map(|instance| instance.restarts).sum::<u64>(), 0);
    // The next one returns to the first addresses.
    bench.apply(&service("three", 2));
    assert_eq!(bench.view("web"), "1b#3 ready two, 1a#5 starting three, 2b#4 ready two");
}

#[test]
fn a_new_process_that_exits_causes_a_rollback() {
    let mut bench = Bench::ready(&service("one", 2));
    bench.apply(&service("two", 2));
    bench.advance(700);
    bench.exit(3, 1);
    assert_eq!(bench.view("web"), "1a#1 ready one, 2a#2 ready one");
    let report = bench.report("web");
    assert_eq!((report.state, report.command.as_str()), (ServiceState::Ready, "one"));
    let failed = report.failed_rollout.unwrap().message;
    assert_eq!(failed, "web/1 exited with status 1 after 700ms, before it was ready: no module");
    bench.advance(1_000_000);
    assert_eq!(bench.view("web"), "1a#1 ready one, 2a#2 ready one");
    // The next reload tries again.
    bench.apply(&service("two", 2));
    assert_eq!(bench.view("web"), "1a#1 ready one, 1b#4 starting two, 2a#2 ready one");
    bench.all_ready();
    bench.advance(100);
    bench.all_ready();
    bench.advance(100);
    assert_eq!(bench.view("web"), "1b#4 ready two, 2b#5 ready two");
    assert_eq!(bench.report("web").failed_rollout, None);
}

#[test]
fn a_new_process_that_is_not_ready_in_time_causes_a_rollback() {
    let mut bench = Bench::ready(&service("one", 1));
    bench.apply(&(service("two", 1) + "start_timeout = \"5s\"\n"));
    bench.advance(5_000);
    assert_eq!(bench.view("web"), "1a#1 ready one");
    let failed = bench.report("web").failed_rollout.unwrap().message;
    assert_eq!(failed, "web/1 was not ready within 5s: no answer");
}

#[test]
fn a_rollback_brings_back_instances_that_were_replaced() {
    let mut bench = Bench::ready(&service("one", 2));
    bench.apply(&service("two", 2));
    bench.event(3, Event::Ready);
    bench.advance(100);
    assert_eq!(bench.view("web"), "1b#3 ready two, 2a#2 ready one, 2b#4 starting two");
    bench.exit(4, 1);
    assert_eq!(bench.view("web"), "1b#3 ready two, 1a#5 starting one, 2a#2 ready one");
    assert_eq!(bench.state(), ServiceState::RollingOut);
    // Even if a process fails during the rollback.
    bench.exit(5, 1);
    assert_eq!(bench.view("web"), "1b#3 ready two, 2a#2 ready one");
    bench.advance(100);
    assert_eq!(bench.view("web"), "1b#3 ready two, 1a#6 starting one, 2a#2 ready one");
    bench.all_ready();
    bench.advance(100);
    assert_eq!(bench.view("web"), "1a#6 ready one, 2a#2 ready one");
    assert_eq!(bench.state(), ServiceState::Ready);
    assert!(bench.report("web").failed_rollout.is_some());
}

#[test]
fn the_newest_settings_win() {
    let mut bench = Bench::ready(&service("one", 2));
    bench.apply(&service("two", 2));
    bench.event(3, Event::Ready);
    bench.apply(&service("three", 2));
    // The old process of the first instance is still leaving, so its new one has no address yet.
    bench.advance(100);
    assert_eq!(bench.view("web"), "1b#3 ready two, 1a#4 starting three, 2a#2 ready one");
    bench.apply(&service("four", 2));
    assert_eq!(bench.view("web"), "1b#3 ready two, 1a#5 starting four, 2a#2 ready one");
    bench.exit(5, 1);
    bench.all_ready();
    bench.advance(100);
    assert_eq!(bench.view("web"), "1a#6 ready one, 2a#2 ready one", "back to what is known to work");
}

#[test]
fn a_change_that_is_reverted_keeps_the_processes() {
    let mut bench = Bench::ready(&service("one", 2));
    bench.apply(&service("two", 2));
    bench.apply(&service("one", 2));
    bench.advance(100);
    assert_eq!(bench.view("web"), "1a#1 ready one, 2a#2 ready one");
    assert_eq!((bench.state(), bench.report("web").failed_rollout), (ServiceState::Ready, None));
}

#[test]
fn all_instances_are_replaced_at_once_if_none_was_ever_ready() {
    let mut bench = Bench::new(&service("one", 2));
    bench.exit(1, 1);
    bench.apply(&service("two", 2));
    bench.advance(0);
    assert_eq!(bench.view("web"), "1a#3 starting two, 2b#4 starting two");
    bench.exit(3, 1);
    bench.advance(100);
    bench.all_ready();
    assert_eq!(bench.view("web"), "1a#5 ready two, 2b#4 ready two");
}

#[test]
fn crashes_during_a_rollout_do_not_stop_it() {
    let mut bench = Bench::ready(&service("one", 3));
    bench.apply(&service("two", 3));
    // An old one that waits for its turn.
    bench.exit(3, 1);
    bench.advance(100);
    assert_eq!(bench.view("web"), "1a#1 ready one, 1b#4 starting two, 2a#2 ready one, 3a#5 starting one");
    bench.event(5, Event::Ready);
    // The one that is being replaced.
    bench.exit(1, 1);
    bench.event(4, Event::Ready);
    assert_eq!(bench.view("web"), "1b#4 ready two, 2a#2 ready one, 2b#6 starting two, 3a#5 ready one");
    // A new one that was ready.
    bench.exit(4, 1);
    bench.event(6, Event::Ready);
    bench.advance(100);
    assert_eq!(bench.view("web"), "1b#7 starting two, 2b#6 ready two, 3a#5 ready one");
    bench.all_ready();
    bench.all_ready();
    bench.advance(100);
    assert_eq!(bench.view("web"), "1b#7 ready two, 2b#6 ready two, 3b#8 ready two");
    assert_eq!((bench.state(), bench.report("web").failed_rollout), (ServiceState::Ready, None));
}

#[test]
fn new_processes_that_keep_crashing_cause_a_rollback() {
    let mut bench = Bench::ready(&service("one", 2));
    bench.apply(&service("two", 2));
    for id in 3.. {
        if bench.report("web").failed_rollout.is_some() {
            break;
        }
        assert!(id < 9, "{}", bench.view("web"));
        bench.event(id, Event::Ready);
        bench.exit(id, 1);
        bench.advance(1_000);
    }
    for _ in 0..3 {
        bench.all_ready();
        bench.advance(1_000);
    }
    assert_eq!(bench.report("web").command, "one");
    assert_eq!(bench.state(), ServiceState::Ready);
}

#[test]
fn a_restart_is_a_rollout_of_the_same_settings() {
    let mut bench = Bench::ready(&service("one", 1));
    let mut outcome = bench.order(Order::Restart);
    assert_eq!(bench.view("web"), "1a#1 ready one, 1b#2 starting one");
    bench.all_ready();
    assert!(outcome.try_recv().is_err());
    bench.advance(100);
    assert_eq!(outcome.try_recv().unwrap(), Ok(()));
    let mut outcome = bench.order(Order::Restart);
    bench.exit(3, 1);
    let error = outcome.try_recv().unwrap().unwrap_err();
    assert_eq!(error, "web/1 exited with status 1 after 0s, before it was ready: no module");
    assert_eq!(bench.view("web"), "1b#2 ready one");
}

#[test]
fn settings_that_need_no_new_process_are_applied_in_place() {
    let mut bench = Bench::ready(&service("one", 1));
    bench.apply(&(service("one", 1) + "restart = \"never\"\n"));
    assert_eq!(bench.view("web"), "1a#1 ready one");
    bench.exit(1, 1);
    assert_eq!(bench.state(), ServiceState::Failed);
}

#[test]
fn another_port_uses_other_slots() {
    let mut bench = Bench::ready(&service("one", 1));
    bench.apply(&(service("one", 1) + "port = 8081\n"));
    assert_eq!(bench.view("web"), "1a#1 ready one, 1a#2 starting one");
    bench.all_ready();
    bench.advance(100);
    assert_eq!(bench.view("web"), "1a#2 ready one");
    // Changed again, and it fails: the rollback uses the slots from before.
    bench.apply(&(service("two", 1) + "port = 8082\n"));
    bench.exit(3, 1);
    bench.exit(2, 1);
    bench.advance(100);
    bench.all_ready();
    assert_eq!(bench.view("web"), "1a#4 ready one");
}

#[test]
fn a_rollout_ends_when_the_service_stops() {
    let mut bench = Bench::ready(&service("one", 2));
    bench.apply(&service("two", 2));
    let mut outcome = bench.order(Order::Stop);
    bench.advance(100);
    assert_eq!((bench.view("web").as_str(), outcome.try_recv().unwrap()), ("", Ok(())));
    bench.order(Order::Start);
    bench.all_ready();
    assert_eq!(bench.view("web"), "1b#4 ready two, 2a#5 ready two");
}
