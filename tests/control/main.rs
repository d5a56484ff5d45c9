//! Commands that query, reload and control running nodes, and change their secret.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "there is nothing outside of a test that could reach it")]
#![allow(dead_code, unused_imports, reason = "the end-to-end tests use what these do not")]

#[path = "../support/mod.rs"]
mod support;

mod admin;
mod full;
mod health;
mod homes;
mod limits;
mod mirrors;
mod queries;
mod reload;
mod rotation;
mod secrets;
mod services;

use std::{
    io::Write,
    path::Path,
    process::{self, Command, Output, Stdio},
    sync::atomic::{AtomicU8, Ordering},
    thread,
    time::{Duration, Instant},
};

use support::{PATIENCE, Program, Start, program::PROGRAM};

const SECRET: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const INTERNAL: u16 = 8443;

/// A node with its own address, so that other nodes can be configured with it before it runs.
struct Place {
    name: &'static str,
    ip: &'static str,
}

impl Place {
    fn new(name: &'static str) -> Self {
        static PLACES: AtomicU8 = AtomicU8::new(0);

        // All of 127.0.0.0/8 is this machine.
        let [.., high, low] = process::id().to_be_bytes();
        let ip = format!("127.{}.{high}.{low}", 200 + PLACES.fetch_add(1, Ordering::Relaxed) % 50);
        Self { name, ip: Box::leak(ip.into_boxed_str()) }
    }

    /// The node as a value of `--mesh-peer`.
    fn peer(&self) -> String {
        format!("{}={}:{INTERNAL}", self.name, self.ip)
    }

    /// Prepares a start of the node, which knows `others`.
    fn start(&self, others: &[&Self]) -> Start {
        let mut start =
            Start::new().workers(1).bind(self.ip).flags(&["--internal", &INTERNAL.to_string(), "--node", self.name]);
        for other in others {
            start = start.flags(&["--mesh-peer", &other.peer()]);
        }
        start
    }
}

/// Writes the secret that all nodes of these tests share into a home.
fn with_secret(start: Start) -> Start {
    let path = start.home().join("secret");
    std::fs::write(&path, SECRET).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    start
}

/// Prepares a command of the program for this home.
fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PMESH_")) {
        command.env_remove(name);
    }
    command.env("HOME", home).args(arguments).arg("--home").arg(home);
    command
}

/// Runs a command that succeeds, in the home of `program`, and returns what it prints.
#[track_caller]
fn printed(program: &Program, arguments: &[&str]) -> String {
    succeeded(&command(program.home(), arguments).output().unwrap())
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Runs a command that fails, and returns its exit status and error.
fn failed(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Runs a command with `input`.
fn fed(mut command: Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may exit before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Polls until `is_so`, for changes that nothing reports.
#[track_caller]
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
