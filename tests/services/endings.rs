//! No service outlives pmesh.

use std::fs;

use nix::sys::signal::Signal;

use crate::{Node, eventually, runs};

/// The keeper and everything below it.
fn descendants(pid: u32) -> Vec<u64> {
    let children = |pid: u64| -> Vec<u64> {
        let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
        let lists = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("children")).ok());
        lists.flat_map(|list| list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()).collect()
    };
    let mut found = children(pid.into());
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children(*pid));
        next += 1;
    }
    found
}

fn ends(signal: Signal) {
    let Some(mut node) = Node::ready("instances = 2") else { return };
    let processes = descendants(node.program.id());
    let pids = node.pids();
    assert!(pids.iter().all(|pid| processes.contains(pid)), "{pids:?} {processes:?}");
    node.program.signal(signal);
    let status = node.program.wait();
    assert_eq!(status.success(), signal == Signal::SIGTERM, "{status}");
    eventually("all processes are gone", || !processes.iter().any(|pid| runs(*pid)));
}

#[test]
fn services_stop_on_shutdown() {
    ends(Signal::SIGTERM);
}

#[test]
fn services_stop_if_pmesh_is_killed() {
    ends(Signal::SIGKILL);
}

#[test]
fn a_request_in_flight_is_finished_before_the_service_is_stopped() {
    let Some(mut node) = Node::ready("") else { return };
    let mut client = crate::support::Client::connect(node.program.http());
    client.send(crate::support::client::get("web.test", "/sleep/1"));
    eventually("the request is in flight", || {
        node.json(&["upstreams"])["endpoints"]
            .as_array()
            .unwrap()
            .iter()
            .any(|endpoint| endpoint["open_connections"].as_u64() > endpoint["idle_connections"].as_u64())
    });
    node.program.signal(Signal::SIGTERM);
    assert_eq!(client.response().text(), "web/1");
    assert!(node.program.wait().success());
}
