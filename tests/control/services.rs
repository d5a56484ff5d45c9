//! `pmesh services` on a node without services. For nodes with services, see tests/services.

use crate::{command, failed, json, printed, support::Start, with_secret};

#[test]
fn without_services_the_command_says_how_to_write_one() {
    let program = with_secret(Start::new()).run();
    let text = printed(&program, &["services"]);
    assert!(text.starts_with("no services: ") && text.contains("\n  [services.web]\n"), "{text}");
    assert_eq!(json(&printed(&program, &["services", "--json"])), json("{\"services\":[]}"));
    assert_eq!(printed(&program, &["services", "logs"]), "");
    let status = printed(&program, &["status"]);
    assert!(!status.contains("\nservices"), "{status}");
    assert!(json(&printed(&program, &["status", "--json"])).get("services").is_none());
}

#[test]
fn an_unknown_service_is_an_error_with_status_1() {
    let program = with_secret(Start::new()).run();
    for arguments in [&["services", "web"][..], &["services", "stop", "web"], &["services", "restart", "../web"]] {
        let (status, error) = failed(&mut command(program.home(), arguments));
        assert_eq!(status, Some(1), "{arguments:?}");
        assert!(error.starts_with("pmesh: there is no service"), "{error}");
    }
    let output = command(program.home(), &["services", "start", "web", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report = json(&String::from_utf8(output.stdout).unwrap());
    assert!(report["message"].as_str().unwrap().starts_with("there is no service"), "{report}");
}

#[test]
fn an_instance_without_a_valid_number_is_an_error() {
    let program = with_secret(Start::new()).run();
    let (status, error) = failed(&mut command(program.home(), &["services", "logs", "web/one"]));
    assert_eq!(status, Some(1));
    assert_eq!(error, "pmesh: one is not the number of an instance: write web/1\n");
}

#[test]
fn without_a_running_node_commands_say_so() {
    let home = tempfile::tempdir().unwrap();
    for arguments in [&["services"][..], &["services", "logs", "--follow"], &["services", "stop", "web"]] {
        let (status, error) = failed(&mut command(home.path(), arguments));
        assert_eq!(status, Some(1), "{arguments:?}");
        assert!(error.contains("no node is running in the home"), "{error}");
    }
}
