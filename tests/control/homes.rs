//! One server per home.

use std::net::TcpListener;

use nix::sys::signal::Signal;

use crate::{
    command, failed,
    support::{Backend, Client, Program, Start},
    with_secret,
};

/// Starts another server in the home of `program` and returns its error. It always fails, because its http port is taken.
#[track_caller]
fn started_again(program: &Program, arguments: &[&str]) -> String {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let flags = ["--bind", "127.0.0.1", "--http", &port, "--https", "off", "--internal", "off", "--log", "off"];
    let (status, error) = failed(&mut command(program.home(), &[arguments, &flags].concat()));
    assert_eq!(status, Some(2), "{error}");
    error
}

#[test]
fn a_second_server_in_a_home_is_rejected() {
    let backend = Backend::answering("hello");
    let start = with_secret(Start::new()).route("served.test", &backend).flags(&["--node", "berlin"]);
    let mut program = start.flags(&["--internal", "off"]).run();
    let (home, id) = (program.home().display().to_string(), program.id());
    let expected = format!(
        "pmesh: another pmesh is running in the home {home}: node berlin, process {id}\n  stop it with `kill {id}`, or \
         give this one a home of its own with --home DIR or PMESH_HOME\n"
    );
    assert_eq!(started_again(&program, &[]), expected);
    assert_eq!(started_again(&program, &["demo"]), expected);
    for arguments in [&["check"][..], &["explain"], &["ca"], &["secret", "fingerprint"]] {
        assert!(command(program.home(), arguments).output().unwrap().status.success(), "{arguments:?}");
    }
    assert_eq!(Client::connect(program.http()).get("served.test", "/").status, 200);

    program.signal(Signal::SIGTERM);
    assert!(program.wait().success());
    let error = started_again(&program, &[]);
    assert!(error.contains("the port is in use"), "{error}");
}

#[test]
fn a_crash_leaves_no_lock() {
    let mut program = with_secret(Start::new()).run();
    program.signal(Signal::SIGKILL);
    program.wait();
    let error = started_again(&program, &[]);
    assert!(error.contains("the port is in use"), "{error}");
}
