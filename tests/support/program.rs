//! Runs the built program, with its own home and on ports that the kernel picks.

use std::{
    ffi::OsString,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;

use super::{Backend, PATIENCE};

/// The path of the program.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_pmesh");

/// A builder for a run of the program.
pub struct Start {
    program: OsString,
    home: TempDir,
    arguments: Vec<OsString>,
    workers: u8,
    http: u16,
    bind: String,
    environment: Vec<(&'static str, String)>,
    /// A command that runs the program. The program and its arguments are appended to it.
    runner: Vec<&'static str>,
}

impl Start {
    /// Runs the built program, or the one named by the variable PMESH.
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        // This file is found before any in the system's folders.
        std::fs::write(home.path().join("config.toml"), "").unwrap();
        let program = std::env::var_os("PMESH").unwrap_or_else(|| PROGRAM.into());
        let (arguments, environment, runner) = (Vec::new(), Vec::new(), Vec::new());
        let bind = "127.0.0.1".to_owned();
        Self { program, home, arguments, workers: 2, http: 0, bind, environment, runner }
    }

    /// Uses this port for `http` instead of one that the kernel picks.
    pub fn http(self, port: u16) -> Self {
        Self { http: port, ..self }
    }

    /// Listens on this address instead of 127.0.0.1.
    pub fn bind(self, address: &str) -> Self {
        Self { bind: address.to_owned(), ..self }
    }

    /// Sets the number of workers, each of which has its own connections to backends.
    pub fn workers(self, workers: u8) -> Self {
        Self { workers, ..self }
    }

    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.arguments.extend(flags.iter().map(OsString::from));
        self
    }

    /// Routes `host` to `backend`.
    pub fn route(self, host: &str, backend: &Backend) -> Self {
        self.flags(&["--route", &format!("{host}={}", backend.address)])
    }

    pub fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Replaces the configuration file.
    pub fn config(self, text: &str) -> Self {
        std::fs::write(self.home.path().join("config.toml"), text).unwrap();
        self
    }

    /// Starts the program through another one, such as a shell.
    pub fn through(mut self, runner: &[&'static str]) -> Self {
        self.runner = runner.to_vec();
        self
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Whether the file sets `key`. If so, no flag is passed, so that a reload can change it.
    fn is_in_file(&self, key: &str) -> bool {
        let text = std::fs::read_to_string(self.home.path().join("config.toml")).unwrap_or_default();
        text.lines().any(|line| line.starts_with(&format!("{key} = ")))
    }

    fn command(&self) -> Command {
        let mut command = match self.runner.split_first() {
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PMESH_")) {
            command.env_remove(name);
        }
        command.env("HOME", self.home.path()).arg("--home").arg(self.home.path());
        let (workers, http) = (self.workers.to_string(), self.http.to_string());
        let ports = [("http", &*http), ("https", "0"), ("internal", "0")];
        for (key, value) in [("workers", &*workers), ("bind", &self.bind)].into_iter().chain(ports) {
            let flag = format!("--{key}");
            if !self.arguments.iter().any(|argument| **argument == *flag) && !self.is_in_file(key) {
                command.args([&flag, value]);
            }
        }
        command.args(&self.arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }

    /// Runs the program until it exits.
    pub fn output(&self) -> Output {
        self.command().output().unwrap()
    }

    /// Starts the program and waits until it has bound its ports.
    pub fn run(self) -> Program {
        let mut child = self.command().stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let log = Arc::<Log>::default();
        let (lines, of_reader) = (BufReader::new(child.stderr.take().unwrap()).lines(), Arc::clone(&log));
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                of_reader.lock().lines.push(line);
                of_reader.changed.notify_all();
            }
            of_reader.lock().ended = true;
            of_reader.changed.notify_all();
        });
        let program = Program { child, log, home: self.home };
        // Logged last of the three listeners.
        program.wait_for_line("INFO internal ");
        program
    }
}

/// The running program. Dropping this kills it.
pub struct Program {
    child: Child,
    log: Arc<Log>,
    home: TempDir,
}

#[derive(Default)]
struct Log {
    content: Mutex<Content>,
    changed: Condvar,
}

#[derive(Default)]
struct Content {
    lines: Vec<String>,
    ended: bool,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Program {
    pub fn http(&self) -> SocketAddr {
        self.address("http")
    }

    pub fn https(&self) -> SocketAddr {
        self.address("https")
    }

    pub fn internal(&self) -> SocketAddr {
        self.address("internal")
    }

    /// The address of the listener with this name.
    pub fn address(&self, listener: &str) -> SocketAddr {
        let line = self.wait_for_line(&format!("INFO {listener} "));
        line.split_whitespace().last().unwrap().parse().unwrap()
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Waits for a line that contains `text`.
    #[track_caller]
    pub fn wait_for_line(&self, text: &str) -> String {
        let find = |content: &Content| content.lines.iter().find(|line| line.contains(text)).cloned();
        let missing = |content: &mut Content| !content.ended && find(content).is_none();
        let content = self.log.changed.wait_timeout_while(self.log.lock(), PATIENCE, missing);
        let (content, _) = content.unwrap_or_else(PoisonError::into_inner);
        find(&content).unwrap_or_else(|| panic!("no {text:?} in the log"))
    }

    /// The log lines so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().lines.clone()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The peak memory of the process in KiB, as Linux counts it.
    pub fn peak_memory(&self) -> u64 {
        self.proc_status("VmHWM:").unwrap()
    }

    /// The number after `name` in the status that Linux reports for the process.
    pub fn proc_status(&self, name: &str) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        Some(line.split_whitespace().next().unwrap().parse().unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.id()).unwrap()), signal).unwrap();
    }

    /// Waits until the program exits.
    pub fn wait(&mut self) -> ExitStatus {
        let running = |content: &mut Content| !content.ended;
        let content = self.log.changed.wait_timeout_while(self.log.lock(), PATIENCE, running);
        let (content, _) = content.unwrap_or_else(PoisonError::into_inner);
        assert!(content.ended, "the program does not exit");
        drop(content);
        self.child.wait().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("the program's log:\n  {}", self.log().join("\n  "));
        }
    }
}
