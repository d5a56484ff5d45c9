//! Stops: by settings, by commands, without requests, and on shutdown.

use super::bench::Bench;
use crate::services::{handle::Order, report::ServiceState};

const TWO: &str = "[services.web]\ncommand = [\"one\"]\ninstances = 2\nstop_timeout = \"3s\"\n";

#[test]
fn a_process_drains_before_it_is_stopped() {
    let mut bench = Bench::ready(TWO);
    bench.world.obeys = false;
    bench.set_use(1, 1, 1);
    let mut outcome = bench.order(Order::Stop);
    assert_eq!(bench.view("web"), "1a#1 draining one, 2a#2 draining one");
    bench.advance(99);
    assert!(bench.world.done.is_empty());
    bench.advance(1);
    assert_eq!(bench.world.done, ["signal 2 15"]);
    bench.set_use(1, 1, 0);
    bench.advance(25);
    assert_eq!(bench.view("web"), "1a#1 stopping one, 2a#2 stopping one");
    bench.exit(1, 0);
    assert!(outcome.try_recv().is_err());
    bench.advance(3_000);
    assert_eq!(bench.view("web"), "2a#2 killed one");
    bench.exit(2, 9);
    assert_eq!(outcome.try_recv().unwrap(), Ok(()));
    assert_eq!(bench.state(), ServiceState::Stopped);
    bench.advance(1_000_000);
    assert_eq!(bench.view("web"), "");
    bench.apply(TWO);
    assert_eq!(bench.view("web"), "", "a reload does not start it");

    let mut outcome = bench.order(Order::Start);
    bench.all_ready();
    assert_eq!(outcome.try_recv().unwrap(), Ok(()));
    assert_eq!(bench.state(), ServiceState::Ready);
}

#[test]
fn a_process_with_requests_is_stopped_at_the_limit() {
    let mut bench = Bench::ready(TWO);
    bench.set_use(1, 1, 1);
    bench.order(Order::Stop);
    bench.advance(4_999);
    assert_eq!(bench.view("web"), "1a#1 draining one");
    bench.advance(1);
    assert_eq!(bench.view("web"), "");
}

#[test]
fn a_service_can_be_started_while_it_stops() {
    let mut bench = Bench::ready(TWO);
    let mut stopped = bench.order(Order::Stop);
    let mut started = bench.order(Order::Start);
    assert!(stopped.try_recv().unwrap().is_err());
    bench.all_ready();
    bench.advance(200);
    assert_eq!(bench.view("web"), "1b#3 ready one, 2b#4 ready one");
    assert_eq!(started.try_recv().unwrap(), Ok(()));
}

#[test]
fn an_idle_service_is_stopped_until_the_next_request() {
    let mut bench = Bench::ready("[services.web]\ncommand = [\"one\"]\nidle_stop = \"2s\"\n");
    for requests in 1..5 {
        bench.set_use(1, requests, 0);
        bench.advance(1_500);
        assert_eq!(bench.view("web"), "1a#1 ready one");
    }
    bench.set_use(1, 4, 1);
    bench.advance(10_000);
    assert_eq!(bench.view("web"), "1a#1 ready one");
    bench.set_use(1, 4, 0);
    bench.advance(3_000);
    assert_eq!((bench.view("web").as_str(), bench.state(), bench.world.awaited), ("", ServiceState::Idle, 1));
    bench.advance(100_000);
    assert_eq!(bench.view("web"), "");
    bench.request_waits();
    bench.all_ready();
    assert_eq!((bench.view("web").as_str(), bench.state()), ("1a#2 ready one", ServiceState::Ready));
    bench.advance(3_000);
    assert_eq!((bench.state(), bench.world.awaited), (ServiceState::Idle, 2));
}

#[test]
fn a_request_starts_an_idle_service_that_is_still_stopping() {
    let mut bench = Bench::ready("[services.web]\ncommand = [\"one\"]\nidle_stop = \"2s\"\n");
    bench.world.obeys = false;
    bench.advance(2_000);
    assert_eq!(bench.view("web"), "1a#1 draining one");
    bench.request_waits();
    assert_eq!(bench.view("web"), "1a#1 draining one, 1b#2 starting one");
}

#[test]
fn shutdown_stops_all_processes_at_once() {
    let mut bench = Bench::ready(TWO);
    bench.world.obeys = false;
    bench.set_use(1, 1, 1);
    bench.stop_all();
    assert_eq!(bench.world.done, ["signal 1 15", "signal 2 15"]);
    bench.exit(1, 0);
    bench.advance(3_000);
    assert_eq!(bench.view("web"), "2a#2 killed one");
    assert!(!bench.fleet.is_empty());
    bench.exit(2, 9);
    assert!(bench.fleet.is_empty());
}

#[test]
fn changing_the_number_of_instances_keeps_the_others() {
    let mut bench = Bench::ready(TWO);
    bench.apply(&TWO.replace("instances = 2", "instances = 3"));
    bench.all_ready();
    assert_eq!(bench.view("web"), "1a#1 ready one, 2a#2 ready one, 3a#3 ready one");
    bench.apply(&TWO.replace("instances = 2", "instances = 1"));
    assert_eq!(bench.view("web"), "1a#1 ready one, 2a#2 draining one, 3a#3 draining one");
    bench.advance(100);
    assert_eq!((bench.view("web").as_str(), bench.report("web").instances.len()), ("1a#1 ready one", 1));
}

#[test]
fn a_service_that_returns_while_it_is_removed_runs_again() {
    let mut bench = Bench::ready(TWO);
    bench.apply("");
    assert_eq!(bench.view("web"), "1a#1 draining one, 2a#2 draining one");
    bench.apply(TWO);
    bench.all_ready();
    bench.advance(100);
    assert_eq!(bench.view("web"), "1b#3 ready one, 2b#4 ready one");
}
