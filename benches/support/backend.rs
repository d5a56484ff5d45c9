//! A backend in a process of its own, so that it can be killed and stopped. See [`super::backend_process`].

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::cores::run_only_when_idle;

/// How a backend handles a request that it has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Behaviour {
    Answer,
    /// The connection is reset.
    Reset,
    /// The backend closes its sending side and keeps reading.
    HalfClose,
    /// The response takes 500 ms.
    Slow,
    /// Bytes that are not HTTP.
    Garbage,
}

impl Behaviour {
    pub const ALL: [Self; 5] = [Self::Answer, Self::Reset, Self::HalfClose, Self::Slow, Self::Garbage];
}

/// Kills the process on drop.
pub struct Backend {
    child: Child,
    /// The address, with the port that a restart uses again.
    pub address: String,
    record: PathBuf,
}

impl Backend {
    /// Starts a backend on an address of its own, so that no client takes its port while it is down.
    pub fn start(folder: &Path, number: usize) -> Self {
        let record = folder.join(format!("backend-{number}"));
        fs::write(&record, "").unwrap();
        let (child, address) = spawn(&format!("127.3.0.{}:0", number + 1), &record);
        Self { child, address, record }
    }

    /// Like [`start`](Self::start), but the backend runs only when the core is idle.
    pub fn start_last(folder: &Path, number: usize) -> Self {
        let start = || {
            run_only_when_idle();
            Self::start(folder, number)
        };
        thread::scope(|scope| scope.spawn(start).join().unwrap())
    }

    /// Sends SIGKILL. The record is kept.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Restarts the backend on the same port after [`kill`](Self::kill).
    pub fn restart(&mut self) {
        (self.child, _) = spawn(&self.address, &self.record);
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    pub fn behave(&mut self, behaviour: Behaviour) {
        let pipe = self.child.stdin.as_mut().unwrap();
        pipe.write_all(&[behaviour as u8]).unwrap();
    }

    /// Method and path of each request that was read completely, also by killed processes.
    pub fn requests(&self) -> Vec<String> {
        String::from_utf8_lossy(&fs::read(&self.record).unwrap()).lines().map(str::to_owned).collect()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(address: &str, record: &Path) -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["backend", address]).arg(record).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.ends_with('\n'), "the backend does not listen on {address}");
    (child, line.trim_end().to_owned())
}
