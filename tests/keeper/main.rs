//! The keeper of the services: programs are started as asked, and none of them outlives pmesh.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "there is nothing outside of a test that could reach it")]

mod ending;
mod limits;
mod many;
mod messages;
mod pid1;
mod start;

use std::{
    collections::HashMap,
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use pmesh::{
    services::keeper::{ExitStatus, Keeper, KeeperEvent, Launch, Output},
    settings::ServiceLimits,
};
use tokio::{net::unix::pipe::Receiver, sync::mpsc, time::timeout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_pmesh");
/// How long a test waits for something before it gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A keeper, and what it has reported.
struct Side {
    keeper: Keeper,
    events: mpsc::UnboundedReceiver<KeeperEvent>,
    /// Events that have arrived before a test waits for them.
    early: HashMap<u64, Vec<KeeperEvent>>,
}

impl Side {
    async fn start() -> Self {
        Self::start_program(Path::new(PROGRAM)).await
    }

    /// Starts two keepers, the second one without cgroups, as on most systems.
    async fn start_both() -> [Self; 2] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pmesh");
        let unmount = "while read -r _ mount type _; do [ $type != cgroup2 ] || umount -l $mount; done < /proc/mounts";
        script(
            &path,
            &format!(
                "#!/bin/sh\nunshare --mount true 2> /dev/null || exec {PROGRAM} \"$@\"\n\
                 exec unshare --mount sh -c '{unmount}; exec {PROGRAM} \"$@\"' sh \"$@\"\n"
            ),
        );
        [Self::start().await, Self::start_program(&path).await]
    }

    async fn start_program(program: &Path) -> Self {
        let (keeper, events) = Keeper::start_program(program).await.unwrap();
        Self { keeper, events, early: HashMap::new() }
    }

    /// Starts a program, and waits until it runs.
    async fn run(&mut self, id: u64, launch: &Launch) -> (u32, Output) {
        let output = self.keeper.launch(id, launch).unwrap();
        match self.next(id).await {
            KeeperEvent::Started { pid, .. } => (pid, output),
            other => panic!("{other:?}"),
        }
    }

    /// Starts a program that cannot be started, and returns why.
    async fn fail(&mut self, launch: &Launch) -> String {
        let _output = self.keeper.launch(1, launch).unwrap();
        match self.next(1).await {
            KeeperEvent::Failed { error, .. } => error,
            other => panic!("{other:?}"),
        }
    }

    /// Runs a program to its end, and returns what it has written to standard output.
    async fn output(&mut self, launch: &Launch) -> String {
        let (_, output) = self.run(1, launch).await;
        let (stdout, stderr) = (read(&output.stdout).await, read(&output.stderr).await);
        let status = self.exit(1).await;
        assert!(status.is_success() && stderr.is_empty(), "{status}: {stderr}");
        stdout
    }

    async fn exit(&mut self, id: u64) -> ExitStatus {
        match self.next(id).await {
            KeeperEvent::Exited { status, .. } => status,
            other => panic!("{other:?}"),
        }
    }

    /// The next event of this launch.
    async fn next(&mut self, id: u64) -> KeeperEvent {
        loop {
            if let Some(events) = self.early.get_mut(&id).filter(|events| !events.is_empty()) {
                return events.remove(0);
            }
            let event = timeout(PATIENCE, self.events.recv()).await.expect("no event").expect("the end of the events");
            let of = match &event {
                KeeperEvent::Started { id, .. } | KeeperEvent::Failed { id, .. } | KeeperEvent::Exited { id, .. } => {
                    *id
                }
                KeeperEvent::Lost(reason) => panic!("lost: {reason}"),
            };
            self.early.entry(of).or_default().push(event);
        }
    }
}

/// A program with a PATH and nothing else.
fn program(words: &[&str]) -> Launch {
    Launch {
        label: "test-1".to_owned(),
        program: words.iter().map(|word| (*word).to_owned()).collect(),
        env: vec![("PATH".to_owned(), std::env::var("PATH").unwrap())],
        cwd: None,
        user: None,
        limits: ServiceLimits::default(),
        stop_signal: 15,
        stop_timeout: Duration::from_secs(10),
    }
}

fn shell(line: &str) -> Launch {
    program(&["/bin/sh", "-c", line])
}

/// Reads to the end.
async fn read(pipe: &Receiver) -> String {
    let mut text = Vec::new();
    let all = async {
        loop {
            pipe.readable().await.unwrap();
            let mut chunk = [0; 4096];
            match pipe.try_read(&mut chunk) {
                Ok(0) => return,
                Ok(length) => text.extend_from_slice(&chunk[..length]),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        }
    };
    timeout(PATIENCE, all).await.expect("the output does not end");
    String::from_utf8(text).unwrap()
}

/// Reads one line.
async fn read_line(pipe: &Receiver) -> String {
    let mut line = Vec::new();
    let until_end = async {
        loop {
            pipe.readable().await.unwrap();
            let mut byte = [0];
            match pipe.try_read(&mut byte) {
                Ok(0) => return,
                Ok(_) if byte == *b"\n" => return,
                Ok(_) => line.extend(byte),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        }
    };
    timeout(PATIENCE, until_end).await.expect("the line does not end");
    String::from_utf8(line).unwrap()
}

/// Whether a process exists and has not exited.
fn is_alive(pid: impl std::fmt::Display) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

/// Polls until `is_so`.
#[track_caller]
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Writes a script, through another process: Linux runs no file that is open for writing, and a child that another test
/// starts at this moment would inherit the descriptor.
fn script(path: &Path, text: &str) {
    let line = "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"";
    let status = Command::new("/bin/sh").args(["-c", line, "sh", text]).arg(path).status().unwrap();
    assert!(status.success());
}

/// Whether this test runs as root. Says that it is skipped if not.
fn is_root() -> bool {
    let is_root = nix::unistd::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: needs root");
    }
    is_root
}
