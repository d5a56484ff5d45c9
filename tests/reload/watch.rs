//! Changed files, with and without `watch_config`.

use std::fs;

use nix::sys::signal::Signal;

use crate::{
    TOP, assert_silent, eventually, fetch, generation, lines, route, start, start_with,
    support::{Backend, Client, Program, Start},
    write,
};

/// Replaces the file in one step.
fn replace(program: &Program, text: &str) {
    let staged = program.home().join("config.toml.new");
    fs::write(&staged, text).unwrap();
    fs::rename(staged, program.home().join("config.toml")).unwrap();
}

fn serves(program: &Program, host: &str) -> bool {
    let mut client = Client::connect(program.http());
    client.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
    client.end().0.starts_with(b"HTTP/1.1 200")
}

#[track_caller]
pub(crate) fn wait_until_served(program: &Program, host: &str) {
    eventually(&format!("{host} is served"), || serves(program, host));
}

#[test]
fn with_watch_config_a_changed_file_is_reloaded() {
    let backend = Backend::answering("ok");
    let file = |host: &str| format!("{TOP}watch_config = true\n{}", route(host, backend.address));
    let program = start_with(&file("a.test"));
    replace(&program, &file("renamed.test"));
    wait_until_served(&program, "renamed.test");
    assert_silent(program.http(), "a.test");
    write(&program, &file("written.test"));
    wait_until_served(&program, "written.test");

    write(&program, &format!("{}connect_timeout = 1\n", file("broken.test")));
    let text = "the configuration was not reloaded";
    program.wait_for_line(text);
    assert!(serves(&program, "written.test"));
    fs::remove_file(program.home().join("config.toml")).unwrap();
    program.wait_for_line("the configuration file is gone");
    assert!(serves(&program, "written.test"));
    replace(&program, &file("mended.test"));
    wait_until_served(&program, "mended.test");
    // One line per error, no matter how often the file was checked.
    assert_eq!(lines(&program, "ERROR").len(), 2, "{:#?}", program.log());
    assert_eq!(generation(&program), 4);
}

#[test]
fn without_watch_config_a_changed_file_is_reloaded_on_sighup() {
    let backend = Backend::answering("ok");
    let program = start(&route("a.test", backend.address));
    write(&program, &format!("{TOP}watch_config = true\n{}", route("b.test", backend.address)));
    // The secret is always watched, and checked after the configuration.
    fs::write(program.home().join("secret"), "no secret").unwrap();
    program.wait_for_line("the secret has changed and cannot be used");
    assert_eq!(generation(&program), 1);
    program.signal(Signal::SIGHUP);
    wait_until_served(&program, "b.test");
    // From now on the file is watched.
    write(&program, &format!("{TOP}{}", route("c.test", backend.address)));
    wait_until_served(&program, "c.test");
    assert_eq!(generation(&program), 3);
}

#[test]
fn a_new_file_is_loaded() {
    let backend = Backend::answering("ok");
    let start = Start::new().flags(&["--watch-config"]);
    fs::remove_file(start.home().join("config.toml")).unwrap();
    let program = start.run();
    assert_silent(program.http(), "a.test");
    replace(&program, &route("a.test", backend.address));
    wait_until_served(&program, "a.test");
    replace(&program, &route("b.test", backend.address));
    wait_until_served(&program, "b.test");
    let file = fetch(&program, "/v1/status")["configuration"]["file"].clone();
    assert_eq!(file, program.home().join("config.toml").display().to_string());
}
