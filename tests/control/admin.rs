//! The socket in the home where commands ask the node.

use std::{fs, os::unix::fs::PermissionsExt, process::Stdio};

use nix::sys::signal::Signal;

use crate::{
    command, eventually, failed, full, json, printed,
    support::{Backend, Client, Start},
    with_secret,
};

#[test]
fn a_node_without_an_internal_port_is_asked() {
    let backend = Backend::answering("");
    let start = with_secret(Start::new()).route("served.test", &backend);
    let program = start.flags(&["--node", "berlin", "--internal", "off"]).run();
    assert_eq!(Client::connect(program.http()).get("served.test", "/").status, 200);
    let report = json(&printed(&program, &["status", "--json"]));
    assert_eq!((&report["node"]["name"], &report["counters"]["requests"]), (&json("\"berlin\""), &json("1")));
    assert_eq!(printed(&program, &["peers"]), "no other nodes are known\n");
    assert_eq!(json(&printed(&program, &["status", "--node", "berlin", "--json"]))["node"]["name"], "berlin");
}

#[test]
fn the_socket_is_for_its_owner_and_goes_with_the_node() {
    let mut program = with_secret(Start::new()).run();
    let socket = program.home().join("admin.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o7777, 0o600);
    program.signal(Signal::SIGTERM);
    assert!(program.wait().success());
    assert!(!socket.exists());
    let (status, error) = failed(&mut command(program.home(), &["status"]));
    assert_eq!(status, Some(1));
    assert!(error.contains("no node runs in the home") && error.contains(socket.to_str().unwrap()), "{error}");
}

#[test]
fn what_a_crash_leaves_is_no_node_and_in_nobodys_way() {
    let mut program = with_secret(Start::new()).run();
    program.signal(Signal::SIGKILL);
    program.wait();
    assert!(program.home().join("admin.sock").exists());
    let (status, error) = failed(&mut command(program.home(), &["status"]));
    assert_eq!(status, Some(1));
    assert!(error.contains("no node runs in the home"), "{error}");

    let flags = ["--bind", "127.0.0.1", "--http", "0", "--https", "off", "--internal", "off", "--node", "next"];
    let mut next = command(program.home(), &flags).stderr(Stdio::null()).spawn().unwrap();
    let status = || command(program.home(), &["status", "--json"]).output().unwrap();
    eventually("the next one is asked", || status().status.success());
    assert_eq!(json(&String::from_utf8(status().stdout).unwrap())["node"]["name"], "next");
    next.kill().unwrap();
    next.wait().unwrap();
}

#[test]
fn a_node_is_asked_where_its_settings_say() {
    let folder = tempfile::tempdir().unwrap();
    let place = format!("unix:{}", folder.path().join("elsewhere.sock").display());
    let program = with_secret(Start::new()).flags(&["--node", "berlin", "--admin", &place]).run();
    assert!(!program.home().join("admin.sock").exists());
    printed(&program, &["status", "--admin", &place]);
    let (status, error) = failed(&mut command(program.home(), &["status"]));
    assert_eq!(status, Some(1));
    assert!(error.contains("node berlin (process ") && error.contains(&format!("admin = \"{place}\"")), "{error}");
}

#[test]
fn a_node_that_is_not_to_be_asked_is_not() {
    let program = with_secret(Start::new()).flags(&["--node", "berlin", "--admin", "off"]).run();
    assert!(!program.home().join("admin.sock").exists());
    for arguments in [&["status"][..], &["status", "--admin", "off"]] {
        let (status, error) = failed(&mut command(program.home(), arguments));
        assert_eq!(status, Some(1));
        assert!(error.contains("node berlin (process ") && error.contains("admin = \"off\""), "{error}");
    }
    let home = tempfile::tempdir().unwrap();
    let error = failed(&mut command(home.path(), &["status", "--admin", "off"])).1;
    assert!(error.contains("admin = \"off\"") && error.contains("\"unix\""), "{error}");
}

#[test]
fn a_socket_that_cannot_be_is_told_before_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes");
    fs::write(&file, "important").unwrap();
    let output = with_secret(Start::new()).flags(&["--admin", &format!("unix:{}", file.display())]).output();
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("not a socket") && error.contains("admin = "), "{error}");
    assert_eq!(fs::read(&file).unwrap(), b"important");
}

#[test]
fn a_node_that_is_stopping_is_asked_until_its_end() {
    let backend = full::backend();
    let mut program = with_secret(Start::new()).route("served.test", &backend).run();
    let tunnel = full::tunnel(&program);
    program.signal(Signal::SIGTERM);
    program.wait_for_line("stopping");
    assert!(printed(&program, &["status"]).contains(", stopping for "));
    let (status, error) = failed(&mut command(program.home(), &["reload"]));
    assert_eq!((status, error.as_str()), (Some(1), "pmesh: the node is stopping\n"));
    drop(tunnel);
    assert!(program.wait().success());
}

#[test]
fn the_routes_of_a_node_are_told() {
    let program = with_secret(Start::new())
        .config(
            r#"
            [[routes]]
            host = ["a.test", "*.a.test"]
            prefix = "/x"
            strip_prefix = true
            upstream = ["backend:1"]
            "#,
        )
        .flags(&["--https", "off"])
        .run();
    let table = printed(&program, &["routes"]);
    let rows: Vec<Vec<_>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["ROUTE", "LISTENERS", "ANSWER", "OPTIONS"]);
    assert_eq!(rows[1], ["a.test/x", "http", "backend:1", "strip_prefix"]);
    assert_eq!(rows[2], ["*.a.test/x", "http", "backend:1", "strip_prefix"]);
    let report = json(&printed(&program, &["routes", "--json"]));
    assert_eq!(report["routes"][0]["hosts"], json("[\"a.test\",\"*.a.test\"]"));
}
