//! `pmesh services`, `start` and `stop`.

use serde_json::json;

use crate::{Node, eventually, runs};

#[test]
fn services_are_listed() {
    let Some(node) = Node::ready("instances = 2") else { return };
    let table = node.printed(&["services"]);
    let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["SERVICE", "STATE", "ADDRESS", "PID", "UPTIME", "RESTARTS", "MEMORY", "CPU"]);
    assert_eq!([&rows[1][..2], &rows[2][..2]], [["web/1", "ready"], ["web/2", "ready"]]);
    assert!(rows[1][2].starts_with("127.1.") && rows[1][2].ends_with(":8080") && rows[1][2] != rows[2][2], "{table}");
    assert_eq!(rows.len(), 3, "{table}");

    let web = node.web();
    assert_eq!([&web["name"], &web["state"], &web["waiting_requests"]], [&json!("web"), &json!("ready"), &json!(0)]);
    assert_eq!(web["command"], "python3 server.py");
    let first = &web["instances"][0];
    assert_eq!([&first["number"], &first["state"], &first["restarts"]], [&json!(1), &json!("ready"), &json!(0)]);
    assert!(first["memory_bytes"].as_u64().unwrap() > 1_000_000 && first["cpu_ms"].is_u64(), "{first}");
    assert!(runs(first["pid"].as_u64().unwrap()));
    assert_eq!(node.json(&["services"])["services"], json!([web]));

    let details = node.printed(&["services", "web"]);
    assert!(details.contains("\nstate    ready, 2/2 instances ready\n"), "{details}");
    assert!(details.contains("\nweb/1 | version 1\n"), "{details}");
    assert!(node.printed(&["status"]).contains("\nservices     1 ready\n"));
    assert_eq!(node.json(&["status"])["services"], json!({ "ready": ["web"] }));
}

#[test]
fn an_unknown_service_is_an_error_that_names_the_others() {
    let Some(node) = Node::ready("") else { return };
    for arguments in [&["services", "wbe"][..], &["services", "stop", "wbe"], &["services", "logs", "wbe"]] {
        let output = node.output(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains("no service wbe") && error.contains("web"), "{error}");
    }
}

#[test]
fn a_stopped_service_answers_503_until_it_is_started() {
    // Its requests do not wait.
    let Some(node) = Node::ready("wait_timeout = \"1h\"") else { return };
    let pids = node.pids();
    assert_eq!(node.printed(&["services", "stop", "web"]), "stopped web\n");
    assert!(!runs(pids[0]));
    assert_eq!(node.web()["state"], "stopped");
    let response = node.get("/");
    assert_eq!(response.status, 503);
    assert!(response.field("retry-after").is_some());
    // A reload does not start it.
    assert!(node.reload("wait_timeout = \"2h\"").status.success());
    assert_eq!(node.web()["state"], "stopped");
    assert_eq!(node.get("/").status, 503);
    assert!(node.printed(&["status"]).contains("\nservices     1 stopped: web\n"));

    let started = node.printed(&["services", "start", "web"]);
    assert!(started.starts_with("started web\nSERVICE ") && started.contains("\nweb/1    ready "), "{started}");
    assert_eq!(node.get("/").text(), "web/1");
}

#[test]
fn a_program_that_exits_is_started_again() {
    let Some(node) = Node::ready("") else { return };
    let before = node.pids()[0];
    // The process exits without answering this request.
    assert_eq!(node.post("/exit/3").status, 502);
    let first = node.wait_for_successors(before)["instances"][0].clone();
    assert_eq!(first["restarts"], 1, "{first}");
    assert!(first["last_exit"]["message"].as_str().unwrap().contains('3'), "{first}");
    let table = node.printed(&["services"]);
    assert!(table.lines().nth(2).unwrap().contains(" ago: "), "{table}");
    assert_eq!(node.get("/").status, 200);
}

#[test]
fn a_service_that_cannot_start_says_why() {
    let Some(node) = Node::ready("wait_timeout = \"100ms\"\nmax_backoff = \"100ms\"") else { return };
    std::fs::write(node.home().join("broken"), "").unwrap();
    nix::sys::signal::kill(pid(node.pids()[0]), nix::sys::signal::Signal::SIGKILL).unwrap();
    eventually("it has been tried twice", || node.web()["instances"][0]["restarts"].as_u64().unwrap() > 1);
    assert_eq!(node.get("/").status, 503);
    let details = node.printed(&["services", "web"]);
    assert!(details.contains(" | the database is missing\n") && details.contains(" ago: "), "{details}");
    std::fs::remove_file(node.home().join("broken")).unwrap();
    node.wait_for_state("ready");
}

pub(crate) fn pid(pid: u64) -> nix::unistd::Pid {
    nix::unistd::Pid::from_raw(pid.try_into().unwrap())
}
