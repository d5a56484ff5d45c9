//! Requests to services, and what programs get from pmesh.

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
fn a_request_that_crashes_programs_is_not_retried_forever() {
    let Some(node) = Node::ready("") else { return };
    let first = node.pids()[0];
    assert_eq!(node.get("/exit/1").status, 502);
    // It was sent once, and then to two more processes.
    let web = node.wait_for_successors(first);
    assert!(web["instances"][0]["restarts"].as_u64().unwrap() <= 3, "{web}");
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
fn a_program_can_have_a_port_of_its_own() {
    let Some(node) = Node::ready("listen = \"port\"\ninstances = 2") else { return };
    let web = node.web();
    let addresses: Vec<_> = (0..2).map(|index| web["instances"][index]["address"].as_str().unwrap()).collect();
    let ports: Vec<u16> = addresses.iter().map(|at| at.strip_prefix("127.0.0.1:").unwrap().parse().unwrap()).collect();
    assert!(ports[0] != ports[1] && ports.iter().all(|port| (20_000..30_000).contains(port)), "{ports:?}");
    assert_eq!(node.get("/env/HOST").text(), "127.0.0.1");
    assert!(ports.contains(&node.get("/env/PORT").text().parse().unwrap()));
}

#[test]
fn a_program_can_have_a_unix_socket_of_its_own() {
    let Some(node) = Node::ready("listen = \"unix\"") else { return };
    let address = || node.web()["instances"][0]["address"].as_str().unwrap().to_owned();
    let before = address();
    assert_eq!(node.get("/env/LISTEN").text(), before);
    assert_eq!(format!("unix:{}", node.get("/env/SOCKET").text()), before);
    assert_eq!([node.get("/env/HOST").text(), node.get("/env/PORT").text()], ["(unset)"; 2]);
    // The program does not remove its socket, so this works only if pmesh does.
    for _ in 0..2 {
        node.printed(&["services", "restart", "web"]);
        assert_eq!(node.get("/").text(), "web/1");
    }
    assert_eq!(address(), before);
}

#[test]
fn a_changed_file_restarts_the_service() {
    let Some(node) = Node::ready("watch = [\"server.py\"]") else { return };
    let before = node.get("/pid").text().to_owned();
    let changed = include_str!("server.py").replace("text = NAME", "text = 'changed ' + NAME");
    fs::write(node.home().join("server.py"), changed).unwrap();
    eventually("the changed program answers", || node.get("/").text() == "changed web/1");
    assert_ne!(node.get("/pid").text(), before);
}

#[test]
fn output_can_go_to_a_file() {
    let Some(node) = Node::ready("output = \"web.log\"") else { return };
    assert_eq!(node.get("/say/hello").status, 200);
    let file = || fs::read_to_string(node.home().join("web.log")).unwrap_or_default();
    eventually("the file has the line", || file().contains("hello\n"));
    assert!(file().contains("version 1\n"), "{}", file());
    assert!(node.printed(&["services", "logs"]).contains("web/1 | hello\n"));
    assert!(!node.program.log().iter().any(|line| line.contains("hello")));
}

#[test]
fn a_program_that_is_started_again_keeps_its_address() {
    let Some(node) = Node::ready("") else { return };
    let address = || node.web()["instances"][0]["address"].clone();
    let (before, pid) = (address(), node.pids()[0]);
    assert_eq!(node.post("/exit/1").status, 502);
    node.wait_for_successors(pid);
    assert_eq!(address(), before);
}

#[test]
fn an_idle_service_is_stopped_and_started_by_the_next_request() {
    let Some(node) = Node::start("idle_stop = \"1s\"") else { return };
    node.wait_for_state("idle");
    eventually("its process has ended", || node.pids().is_empty());
    let table = node.printed(&["services"]);
    assert!(table.contains("\nweb/1    idle "), "{table}");
    assert_eq!(node.get("/").text(), "web/1");
}
