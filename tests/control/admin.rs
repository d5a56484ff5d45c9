//! The admin socket in the home, through which commands reach the node.

use std::{fs, os::unix::fs::PermissionsExt, process::Stdio};

use nix::sys::signal::Signal;

use crate::{
    command, eventually, failed, full, json, printed,
    support::{Backend, Client, Start},
    with_secret,
};

#[test]
fn commands_reach_a_node_without_an_internal_port() {
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
fn the_socket_is_private_and_removed_on_shutdown() {
    let mut program = with_secret(Start::new()).run();
    let socket = program.home().join("admin.sock");
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o7777, 0o600);
    program.signal(Signal::SIGTERM);
    assert!(program.wait().success());
    assert!(!socket.exists());
    let (status, error) = failed(&mut command(program.home(), &["status"]));
    assert_eq!(status, Some(1));
    assert!(error.contains("no node is running in the home") && error.contains(socket.to_str().unwrap()), "{error}");
}

#[test]
fn a_socket_left_by_a_crash_is_not_mistaken_for_a_node_and_does_not_block_the_next_start() {
    let mut program = with_secret(Start::new()).run();
    program.signal(Signal::SIGKILL);
    program.wait();
    assert!(program.home().join("admin.sock").exists());
    let (status, error) = failed(&mut command(program.home(), &["status"]));
    assert_eq!(status, Some(1));
    assert!(error.contains("no node is running in the home"), "{error}");

    let flags = ["--bind", "127.0.0.1", "--http", "0", "--https", "off", "--internal", "off", "--node", "next"];
    let mut next = command(program.home(), &flags).stderr(Stdio::null()).spawn().unwrap();
    let status = || command(program.home(), &["status", "--json"]).output().unwrap();
    eventually("the next node responds", || status().status.success());
    assert_eq!(json(&String::from_utf8(status().stdout).unwrap())["node"]["name"], "next");
    next.kill().unwrap();
    next.wait().unwrap();
}

#[test]
fn the_socket_can_be_elsewhere() {
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
fn commands_do_not_reach_a_node_with_admin_off() {
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
fn a_file_in_place_of_the_socket_is_a_startup_error() {
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
fn a_node_answers_commands_until_shutdown_is_complete() {
    let backend = full::backend();
    let mut program = with_secret(Start::new()).route("served.test", &backend).run();
    let tunnel = full::tunnel(&program);
    program.signal(Signal::SIGTERM);
    program.wait_for_line("shutting down");
    let status = printed(&program, &["status"]);
    assert!(status.lines().next().unwrap().ends_with(", shutting down"), "{status}");
    let (status, error) = failed(&mut command(program.home(), &["reload"]));
    assert_eq!((status, error.as_str()), (Some(1), "pmesh: the node is shutting down\n"));
    drop(tunnel);
    assert!(program.wait().success());
}

#[test]
fn routes_are_listed() {
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
