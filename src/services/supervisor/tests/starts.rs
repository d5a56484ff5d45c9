//! Starts, failures and pauses.

use super::{
    super::world::{Ending, Event},
    bench::Bench,
};
use crate::services::{
    handle::Order,
    report::{InstanceState, ServiceState},
};

const TWO: &str = "[services.web]\ncommand = [\"one\"]\ninstances = 2\n";

#[test]
fn all_instances_start_at_once() {
    let mut bench = Bench::new(TWO);
    assert_eq!(bench.view("web"), "1a#1 starting one, 2a#2 starting one");
    assert_eq!(bench.state(), ServiceState::Starting);
    bench.event(2, Event::Started(7));
    bench.event(2, Event::Ready);
    assert_eq!(bench.view("web"), "1a#1 starting one, 2a#2 ready one");
    assert_eq!(bench.state(), ServiceState::Degraded);
    bench.event(1, Event::Ready);
    assert_eq!(bench.state(), ServiceState::Ready);
    assert_eq!(bench.report("web").instances[1].pid, Some(7));
    bench.advance(1_000_000);
    assert_eq!(bench.view("web"), "1a#1 ready one, 2a#2 ready one");
}

#[test]
fn an_instance_that_exits_is_started_again_at_its_address() {
    let mut bench = Bench::ready(TWO);
    bench.exit(1, 1);
    assert_eq!(bench.view("web"), "2a#2 ready one");
    assert_eq!(bench.report("web").instances[0].state, InstanceState::BackingOff);
    bench.advance(99);
    assert_eq!(bench.view("web"), "2a#2 ready one");
    bench.advance(1);
    assert_eq!(bench.view("web"), "1a#3 starting one, 2a#2 ready one");
    bench.all_ready();
    let report = bench.report("web");
    assert_eq!((report.state, report.instances[0].restarts, report.instances[1].restarts), (ServiceState::Ready, 1, 0));
    assert_eq!(report.instances[0].last_exit.as_ref().unwrap().message, "exited with status 1 after 0s");
}

#[test]
fn pauses_grow_until_an_instance_has_run_for_a_while() {
    let mut bench = Bench::new("[services.web]\ncommand = [\"one\"]\nmax_backoff = \"1s\"\n");
    let mut id = 1;
    for pause in [100, 200, 400, 800, 1000, 1000] {
        bench.exit(id, 1);
        id += 1;
        bench.advance(pause - 1);
        assert_eq!(bench.view("web"), "");
        bench.advance(1);
        assert_eq!(bench.view("web"), format!("1a#{id} starting one"));
    }
    bench.all_ready();
    bench.advance(9_000);
    bench.exit(id, 1);
    bench.advance(999);
    assert_eq!(bench.view("web"), "");
    bench.advance(1);
    bench.all_ready();
    bench.advance(10_000);
    bench.exit(id + 1, 1);
    bench.advance(100);
    assert_eq!(bench.view("web"), format!("1a#{} starting one", id + 2));
}

#[test]
fn an_instance_that_is_not_ready_in_time_is_killed_and_started_again() {
    let mut bench = Bench::new("[services.web]\ncommand = [\"one\"]\nstart_timeout = \"2s\"\n");
    bench.world.obeys = false;
    bench.advance(2_000);
    assert_eq!(bench.view("web"), "1a#1 killed one");
    // The killed process still has its address, so the new one gets the other.
    bench.advance(100);
    assert_eq!(bench.view("web"), "1a#1 killed one, 1b#2 starting one");
    bench.exit(1, 9);
    let exit = bench.report("web").instances[0].last_exit.clone().unwrap();
    assert_eq!(exit.message, "was not ready within 2s: no answer");
    bench.event(2, Event::Ready);
    assert_eq!(bench.view("web"), "1b#2 ready one");
}

#[test]
fn a_program_that_cannot_be_started_is_retried() {
    let mut bench = Bench::new(TWO);
    let ending = Ending { text: "cannot be started: no such file".into(), is_success: false, was_launched: false };
    bench.event(1, Event::Ended(ending));
    let exit = bench.report("web").instances[0].last_exit.clone().unwrap();
    assert_eq!(exit.message, "cannot be started: no such file");
    bench.advance(100);
    assert_eq!(bench.view("web"), "1a#3 starting one, 2a#2 starting one");
}

#[test]
fn restart_decides_whether_an_instance_is_started_again() {
    for (restart, status, restarts) in [
        ("always", 0, true),
        ("always", 1, true),
        ("on-failure", 0, false),
        ("on-failure", 1, true),
        ("never", 1, false),
    ] {
        let mut bench = Bench::ready(&format!("[services.web]\ncommand = [\"one\"]\nrestart = \"{restart}\"\n"));
        bench.exit(1, status);
        bench.advance(60_000);
        assert_eq!(bench.world.done.contains(&"launch 2 one".to_owned()), restarts, "{restart} {status}");
        assert_eq!(bench.state() == ServiceState::Failed, !restarts);
        // A command starts it in any case.
        let mut outcome = bench.order(Order::Start);
        bench.all_ready();
        assert_eq!(outcome.try_recv().unwrap(), Ok(()), "{restart} {status}");
    }
}

#[test]
fn nothing_is_launched_without_a_keeper() {
    let mut bench = Bench::ready(TWO);
    bench.lose_all();
    assert_eq!(bench.view("web"), "");
    bench.advance(100_000);
    assert_eq!(bench.view("web"), "");
    bench.can_launch();
    bench.all_ready();
    assert_eq!(bench.view("web"), "1a#3 ready one, 2a#4 ready one");
    assert_eq!(bench.report("web").instances[0].restarts, 0);
}

#[test]
fn an_instance_that_announces_its_exit_gets_no_requests() {
    let mut bench = Bench::ready(TWO);
    bench.event(1, Event::Leaving);
    assert!(bench.process(1).slot.health.is_drained());
    assert_eq!(bench.state(), ServiceState::Degraded);
    bench.exit(1, 0);
    bench.advance(100);
    bench.all_ready();
    assert_eq!(bench.view("web"), "1a#3 ready one, 2a#2 ready one");
}

#[test]
fn a_service_is_independent_of_others() {
    let mut bench = Bench::ready("[services.api]\ncommand = [\"a\"]\n[services.web]\ncommand = [\"w\"]\n");
    bench.exit(1, 1);
    assert_eq!(bench.view("web"), "1a#2 ready w");
    bench.apply("[services.web]\ncommand = [\"w\"]\n");
    assert_eq!([bench.view("api"), bench.view("web")], ["", "1a#2 ready w"]);
    assert!(bench.shared.report_on("api").is_none());
}
