//! Services of a running node, with real programs, commands and requests. The tests need Python, and the example also Node.
//! Without these, they say that they are skipped.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "there is nothing outside of a test that could reach it")]
#![allow(dead_code, unused_imports, reason = "the end-to-end tests use what these do not")]

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod endings;
mod example;
mod logs;
mod requests;
mod rollouts;

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use support::{Client, PATIENCE, Program, Start, client::Response, program::PROGRAM};

/// A node with the service `web`, which runs server.py.
struct Node {
    program: Program,
}

impl Node {
    /// Starts a node whose service has these further `keys`; `None` if there is no Python. Does not wait until an instance
    /// is ready.
    fn start(keys: &str) -> Option<Self> {
        if !is_installed("python3") {
            return None;
        }
        let start = Start::new().workers(2).flags(&["--https", "off"]);
        fs::write(start.home().join("server.py"), include_str!("server.py")).unwrap();
        let start = start.config(&config(keys));
        Some(Self { program: start.run() })
    }

    /// Starts a node, and waits until all instances are ready.
    fn ready(keys: &str) -> Option<Self> {
        let node = Self::start(keys)?;
        node.wait_for_state("ready");
        Some(node)
    }

    /// Gives the service other keys, and reloads.
    fn reload(&self, keys: &str) -> Output {
        fs::write(self.home().join("config.toml"), config(keys)).unwrap();
        self.output(&["reload"])
    }

    fn home(&self) -> &Path {
        self.program.home()
    }

    /// Runs a command.
    fn output(&self, arguments: &[&str]) -> Output {
        command(self.home(), arguments).output().unwrap()
    }

    /// Runs a command that succeeds, and returns what it prints.
    #[track_caller]
    fn printed(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{}: {stderr}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.printed(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// The report on the service.
    fn web(&self) -> Value {
        self.json(&["services", "web"])
    }

    #[track_caller]
    fn wait_for_state(&self, state: &str) {
        eventually(&format!("the service is {state}"), || self.web()["state"] == state);
    }

    /// The process ids of the instances that run.
    fn pids(&self) -> Vec<u64> {
        pids(&self.web())
    }

    /// Waits until all instances are ready and `old` is none of their processes. Returns the report of that moment.
    #[track_caller]
    fn wait_for_successors(&self, old: u64) -> Value {
        let mut web = Value::Null;
        eventually("another process runs in its place", || {
            web = self.web();
            web["state"] == "ready" && !pids(&web).contains(&old)
        });
        web
    }

    /// Sends a request for the service over a new connection.
    fn get(&self, path: &str) -> Response {
        Client::connect(self.program.http()).get("web.test", path)
    }

    /// Sends a request that pmesh sends to only one instance.
    fn post(&self, path: &str) -> Response {
        let mut client = Client::connect(self.program.http());
        client.send(format!("POST {path} HTTP/1.1\r\nHost: web.test\r\nContent-Length: 0\r\n\r\n"));
        client.response()
    }
}

fn pids(web: &Value) -> Vec<u64> {
    web["instances"].as_array().unwrap().iter().filter_map(|instance| instance["pid"].as_u64()).collect()
}

fn config(keys: &str) -> String {
    format!(
        "[services.web]\ncommand = [\"python3\", \"server.py\"]\nstop_timeout = \"2s\"\n{keys}\n\
         [[routes]]\nhost = \"web.test\"\nupstream = \"service://web\"\n"
    )
}

/// Whether a program is installed. If not, says that the test is skipped.
fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        eprintln!("skipped: no {program} on the PATH");
    }
    found
}

/// Prepares a command of the program for this home.
fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PMESH_")) {
        command.env_remove(name);
    }
    command.env("HOME", home).args(arguments).arg("--home").arg(home).stdin(Stdio::null());
    command
}

/// Whether a process runs. A zombie does not.
fn runs(pid: u64) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains("Z ("))
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
