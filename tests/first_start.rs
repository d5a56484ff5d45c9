//! First starts that race each other or are killed all agree on one complete secret.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Barrier,
    thread,
    time::Duration,
};

use pmesh::secret::home_secret;

/// Tells the process that runs [`child`] where to create homes.
const FOLDER: &str = "PMESH_TEST_FOLDER";

fn secret(home: &Path) -> String {
    home_secret(home).unwrap().expose_hex().to_string()
}

#[test]
fn threads_agree_on_a_secret() {
    for _ in 0..50 {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let barrier = Barrier::new(4);
        let start = || {
            barrier.wait();
            secret(&home)
        };
        let mut secrets: Vec<_> = thread::scope(|scope| {
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        secrets.dedup();
        assert_eq!(secrets, [secret(&home)]);
    }
}

#[test]
fn processes_agree_on_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let mut starts = [Start::new(folder.path()), Start::new(folder.path())];
    for round in 0..50 {
        starts.iter_mut().for_each(Start::go);
        let [first, second] = starts.each_mut().map(|start| start.next_secret().unwrap());
        assert_eq!(first, second);
        assert_eq!(first, secret(&folder.path().join(round.to_string())));
    }
}

#[test]
fn after_a_kill_at_any_moment_the_next_start_succeeds() {
    for moment in 0..100 {
        let folder = tempfile::tempdir().unwrap();
        let mut start = Start::new(folder.path());
        // Enough homes to be busy whenever the kill comes.
        (0..1000).for_each(|_| start.go());
        let mut reported = vec![start.next_secret().unwrap()];
        // Only varies the moment of the kill. The assertions must hold at any moment.
        thread::sleep(Duration::from_micros(moment * 50));
        start.0.kill().unwrap();
        reported.extend(std::iter::from_fn(|| start.next_secret()));

        let homes = fs::read_dir(folder.path()).unwrap().count();
        assert!(homes >= reported.len());
        for home in 0..=homes {
            let path = folder.path().join(home.to_string());
            let found = secret(&path);
            assert_eq!(found, secret(&path));
            if let Some(reported) = reported.get(home) {
                assert_eq!(&found, reported);
            }
        }
    }
}

/// A process that creates the homes `0`, `1`, … of a folder, one per line of input.
struct Start(Child, BufReader<std::process::ChildStdout>);

impl Start {
    fn new(folder: &Path) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture", "--quiet"])
            .env(FOLDER, folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self(child, output)
    }

    fn go(&mut self) {
        self.0.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    /// The secret of the next home, or `None` once the process has exited.
    fn next_secret(&mut self) -> Option<String> {
        loop {
            let mut line = String::new();
            if self.1.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The test harness writes lines of its own, and a killed process may have written half a line.
            if let Some(secret) = line.strip_prefix("secret ").and_then(|rest| rest.strip_suffix('\n')) {
                return Some(secret.to_owned());
            }
        }
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        // This closes its input, so it exits.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "the other tests run it as a separate process"]
fn child() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
    for (home, _go) in std::io::stdin().lines().enumerate() {
        println!("secret {}", secret(&folder.join(home.to_string())));
    }
}
