//! What requests and programs see.

use std::{fs, thread};

use crate::{Node, eventually};

#[test]
fn requests_wait_for_a_service_that_starts() {
    let Some(node) = Node::ready("") else { return };
    fs::write(node.home().join("slow"), "").unwrap();
    node.printed(&["services", "stop", "web"]);
    thread::scope(|scope| {
        let start = scope.spawn(|| node.printed(&["services", "start", "web"]));
        eventually("it is starting", || node.web()["state"] == "starting" || start.is_finished());
        assert_eq!(node.get("/").text(), "web/1");
        start.join().unwrap();
    });
}

#[test]
fn a_request_that_ends_programs_is_not_sent_to_ever_more_of_them() {
    let Some(node) = Node::ready("") else { return };
    assert_eq!(node.get("/exit/1").status, 502);
    // It was sent once, and again to two successors.
    node.wait_for_state("ready");
    let restarts = node.web()["instances"][0]["restarts"].as_u64().unwrap();
    assert!(restarts <= 3, "{restarts}");
}

#[test]
fn a_program_gets_its_variables() {
    let Some(node) = Node::ready("env = { COLOUR = \"blue\" }") else { return };
    let variable = |name: &str| node.get(&format!("/env/{name}")).text().to_owned();
    let address = node.web()["instances"][0]["address"].as_str().unwrap().to_owned();
    assert_eq!(format!("{}:{}", variable("HOST"), variable("PORT")), address);
    assert_eq!(variable("LISTEN"), address);
    assert_eq!([variable("PMESH_SERVICE"), variable("PMESH_INSTANCE")], ["web", "1"]);
    assert_eq!([variable("COLOUR"), variable("PMESH_HOME")], ["blue", "(unset)"]);
}

#[test]
fn a_program_that_is_started_again_keeps_its_address() {
    let Some(node) = Node::ready("") else { return };
    let address = || node.web()["instances"][0]["address"].clone();
    let (before, pids) = (address(), node.pids());
    assert_eq!(node.post("/exit/1").status, 502);
    eventually("it runs again", || node.web()["state"] == "ready" && node.pids() != pids);
    assert_eq!(address(), before);
}

#[test]
fn an_idle_service_is_stopped_and_started_by_the_next_request() {
    let Some(node) = Node::start("idle_stop = \"1s\"") else { return };
    node.wait_for_state("idle");
    assert!(node.pids().is_empty());
    let table = node.printed(&["services"]);
    assert!(table.contains("\nweb/1    idle "), "{table}");
    assert_eq!(node.get("/").text(), "web/1");
}
