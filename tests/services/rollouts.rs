//! Restarts and reloads that replace instances while requests keep coming.

use std::{
    fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use nix::sys::signal::{Signal, kill};

use crate::{
    Node,
    commands::pid,
    eventually, runs,
    support::{Client, client::get},
};

/// Sends requests over several connections while `work` runs, and some before and after. Returns what went wrong.
fn under_load(node: &Node, work: impl FnOnce()) -> Vec<String> {
    let (is_over, served, failures) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let some_are_served = |count: usize| {
        let goal = served.load(Ordering::Relaxed) + count;
        eventually("requests are served", || {
            served.load(Ordering::Relaxed) >= goal || !failures.lock().unwrap().is_empty()
        });
    };
    let address = node.program.http();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = Client::connect(address);
                while !is_over.load(Ordering::Relaxed) {
                    let response = client.get("web.test", "/");
                    match response.status {
                        200 => _ = served.fetch_add(1, Ordering::Relaxed),
                        status => failures.lock().unwrap().push(format!("{status}: {}", response.text())),
                    }
                }
            });
        }
        some_are_served(20);
        work();
        some_are_served(20);
        is_over.store(true, Ordering::Relaxed);
    });
    failures.into_inner().unwrap()
}

#[test]
fn a_restart_replaces_all_instances_without_a_failed_request() {
    let Some(node) = Node::ready("instances = 2") else { return };
    let before = node.pids();
    let failures = under_load(&node, || {
        let text = node.printed(&["services", "restart", "web"]);
        assert!(text.starts_with("restarted web\n"), "{text}");
    });
    assert!(failures.is_empty(), "{failures:?}");
    let after = node.pids();
    assert!(after.len() == 2 && after.iter().all(|pid| !before.contains(pid)), "{before:?} {after:?}");
}

#[test]
fn a_single_instance_is_replaced_without_a_failed_request() {
    let Some(node) = Node::ready("env = { VERSION = \"1\" }") else { return };
    assert_eq!(node.get("/env/VERSION").text(), "1");
    let failures = under_load(&node, || {
        assert!(node.reload("env = { VERSION = \"2\" }").status.success());
        eventually("the new version answers", || node.get("/env/VERSION").text() == "2");
    });
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn a_rollout_that_fails_is_rolled_back() {
    let Some(node) = Node::ready("instances = 2") else { return };
    let before = node.pids();
    fs::write(node.home().join("broken"), "").unwrap();
    let failures = under_load(&node, || {
        let output = node.output(&["services", "restart", "web"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("web"), "{error}");
    });
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(node.pids(), before);
    let web = node.web();
    assert!(web["failed_rollout"]["message"].is_string(), "{web}");
    let table = node.printed(&["services"]);
    assert!(table.contains("\n  rolled back "), "{table}");

    fs::remove_file(node.home().join("broken")).unwrap();
    node.printed(&["services", "restart", "web"]);
    assert!(node.web().get("failed_rollout").is_none());
}

#[test]
fn a_reload_that_breaks_a_service_is_rolled_back() {
    let Some(node) = Node::ready("env = { VERSION = \"1\" }") else { return };
    let before = node.pids();
    let failures = under_load(&node, || {
        assert!(node.reload("env = { BROKEN = \"yes\" }").status.success());
        eventually("it is rolled back", || node.web()["failed_rollout"]["message"].is_string());
        node.wait_for_state("ready");
    });
    assert!(failures.is_empty(), "{failures:?}");
    assert_eq!(node.pids(), before);
    assert!(node.printed(&["services", "logs"]).contains("the database is missing"));
    // The next reload tries again.
    assert!(node.reload("env = { VERSION = \"3\" }").status.success());
    eventually("the next version answers", || node.get("/env/VERSION").text() == "3");
    assert!(node.web().get("failed_rollout").is_none());
}

#[test]
fn a_request_in_flight_is_finished_by_the_old_instance() {
    let Some(node) = Node::ready("") else { return };
    let before = node.pids()[0];
    let mut client = Client::connect(node.program.http());
    client.send(get("web.test", "/sleep/2"));
    eventually("the request is in flight", || node.json(&["upstreams"])["endpoints"][0]["open_connections"] == 1);
    thread::scope(|scope| {
        let restart = scope.spawn(|| node.printed(&["services", "restart", "web"]));
        eventually("another instance answers", || node.get("/pid").text() != before.to_string());
        assert_eq!(client.response().text(), "web/1");
        restart.join().unwrap();
    });
    assert!(!runs(before));
}

#[test]
fn a_killed_instance_costs_no_request() {
    let Some(node) = Node::ready("instances = 2") else { return };
    let victim = node.pids()[0];
    let failures = under_load(&node, || {
        kill(pid(victim), Signal::SIGKILL).unwrap();
        node.wait_for_successors(victim);
    });
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn instances_are_added_and_removed_by_a_reload() {
    let Some(node) = Node::ready("instances = 1") else { return };
    let first = node.pids();
    assert!(node.reload("instances = 3").status.success());
    eventually("three run", || node.pids().len() == 3 && node.web()["state"] == "ready");
    assert!(node.pids().contains(&first[0]));
    assert!(node.reload("instances = 1").status.success());
    eventually("one runs", || node.pids() == first);
}
