//! Reloading the configuration while the built program serves.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "there is nothing outside of a test that could reach it")]
#![allow(dead_code, unused_imports, reason = "the end-to-end tests use what these do not")]

#[path = "../support/mod.rs"]
mod support;

mod broken;
mod descriptors;
mod include;
mod jwt;
mod kept;
mod limits;
mod listeners;
mod mirrors;
mod pages;
mod rate_limits;
mod removed;
mod routes;
mod settings;
mod tls;
mod watch;

use std::{
    fmt::Display,
    fs,
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{Backend, Client, End, PATIENCE, Program, Start, client::exchange, client::get};

/// The start of each file: two listeners on ports that the kernel picks.
const TOP: &str = "http = 0\nhttps = 0\ninternal = \"off\"\nbind = \"127.0.0.1\"\nworkers = 2\n";

/// Starts the program with `text` after the [top](TOP) of its file.
fn start(text: &str) -> Program {
    start_with(&format!("{TOP}{text}"))
}

/// Starts the program with this file.
fn start_with(text: &str) -> Program {
    Start::new().config(text).run()
}

/// A route for the file.
fn route(host: &str, upstream: impl Display) -> String {
    format!("[[routes]]\nhost = \"{host}\"\nupstream = [\"{upstream}\"]\n")
}

fn write(program: &Program, text: &str) {
    fs::write(program.home().join("config.toml"), text).unwrap();
}

/// Replaces everything after the [top](TOP) of the file, and reloads.
#[track_caller]
fn reload(program: &Program, text: &str) -> Value {
    reload_with(program, &format!("{TOP}{text}"))
}

/// Replaces the file, and reloads.
#[track_caller]
fn reload_with(program: &Program, text: &str) -> Value {
    write(program, text);
    try_reload(program).unwrap()
}

/// Reloads the file as it is. Returns the report or the error.
#[track_caller]
fn try_reload(program: &Program) -> Result<Value, String> {
    let (status, answer) = ask(program, "POST", "/v1/reload");
    if status == 200 { Ok(answer) } else { Err(answer["message"].as_str().unwrap().to_owned()) }
}

/// Sends a GET to the admin API and returns the response.
#[track_caller]
fn fetch(program: &Program, path: &str) -> Value {
    let (status, answer) = ask(program, "GET", path);
    assert_eq!(status, 200, "{answer}");
    answer
}

#[track_caller]
fn ask(program: &Program, method: &str, path: &str) -> (u16, Value) {
    let stream = UnixStream::connect(program.home().join("admin.sock")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut client = Client::new(stream);
    client.send(format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"));
    let response = client.response();
    (response.status, serde_json::from_slice(&response.body).unwrap())
}

fn generation(program: &Program) -> u64 {
    fetch(program, "/v1/status")["configuration"]["generation"].as_u64().unwrap()
}

/// The response of `host` on a new connection.
#[track_caller]
fn served(program: &Program, host: &str) -> String {
    Client::connect(program.http()).get(host, "/").text().to_owned()
}

#[track_caller]
fn assert_silent(address: SocketAddr, host: &str) {
    assert_eq!(exchange(address, get(host, "/").as_bytes()), (Vec::new(), End::Fin), "{host}");
}

/// The lines of the log at this level.
fn lines(program: &Program, level: &str) -> Vec<String> {
    program.log().into_iter().filter(|line| line.contains(&format!(" {level} "))).collect()
}

/// Polls until `is_so`, for changes that nothing reports.
#[track_caller]
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}
