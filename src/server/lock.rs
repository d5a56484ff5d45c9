//! Makes sure that only one server uses a home, with a lock that it holds while it runs.

use std::{
    fmt,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process, thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tower::BoxError;

use crate::{secret::prepare_home, settings::Settings};

/// The lock file in the home folder.
const FILE: &str = "lock";

/// How often to try a lock that is taken: a command may hold it for a moment, to see whether a node is running.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// The lock of a home. The kernel releases it when the process ends, even after a crash.
#[derive(Debug)]
pub struct HomeLock {
    file: File,
}

/// The process that holds the lock of a home, as it describes itself in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// The name of its node.
    pub node: String,
    /// Where commands reach it, written as in the setting `admin`.
    pub admin: String,
}

impl Holder {
    /// This process.
    pub fn this(settings: &Settings) -> Self {
        Self { pid: process::id(), node: settings.node.to_string(), admin: settings.admin.to_string() }
    }
}

impl HomeLock {
    /// Locks a home for this process, described by `holder`. Returns `None`, with a line in the log, if no file can be
    /// written in the home.
    ///
    /// # Errors
    ///
    /// [`HomeInUse`] if another process has locked it.
    pub fn take(home: &Path, holder: &Holder) -> Result<Option<Self>, HomeInUse> {
        let file = match open(home) {
            Ok(file) => file,
            Err(error) => return Ok(without(home, &*error)),
        };
        match lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(HomeInUse { home: home.to_owned(), holder: read(home) }),
            Err(TryLockError::Error(error)) => return Ok(without(home, &error)),
        }
        let lock = Self { file };
        if let Err(error) = lock.write(holder) {
            // The home is locked all the same.
            tracing::debug!(%error, "cannot write the lock file of {}", home.display());
        }
        Ok(Some(lock))
    }

    fn write(&self, holder: &Holder) -> io::Result<()> {
        self.file.set_len(0)?;
        (&self.file).write_all(&serde_json::to_vec(holder)?)
    }
}

impl Drop for HomeLock {
    fn drop(&mut self) {
        // The file itself stays: another process may already be waiting for its lock.
        let _ = self.file.set_len(0);
    }
}

/// Returns the process that serves in a home, or `None`.
pub fn holder(home: &Path) -> Option<Holder> {
    let file = File::open(home.join(FILE)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => read(home),
        // Nobody holds the lock. If the file names a process, that process has crashed.
        _ => None,
    }
}

fn open(home: &Path) -> Result<File, BoxError> {
    prepare_home(home)?;
    // The standard library opens files with O_CLOEXEC, so child processes do not inherit the lock.
    Ok(OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(home.join(FILE))?)
}

fn lock(file: &File) -> Result<(), TryLockError> {
    for _ in 1..ATTEMPTS {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            done => return done,
        }
    }
    file.try_lock()
}

fn read(home: &Path) -> Option<Holder> {
    serde_json::from_slice(&fs::read(home.join(FILE)).ok()?).ok()
}

fn without(home: &Path, error: &dyn std::error::Error) -> Option<HomeLock> {
    tracing::info!(
        %error,
        "cannot lock the home {}, so a second pmesh could use it as well, and `pmesh status` cannot find \
         this node",
        home.display()
    );
    None
}

/// Another process serves in this home.
#[derive(Debug)]
pub struct HomeInUse {
    home: PathBuf,
    holder: Option<Holder>,
}

impl fmt::Display for HomeInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "another pmesh is running in the home {}", self.home.display())?;
        match &self.holder {
            Some(Holder { pid, node, .. }) => {
                write!(f, ": node {node}, process {pid}\n  stop it with `kill {pid}`, or ")?;
            }
            None => f.write_str("\n  stop it, or ")?,
        }
        f.write_str("give this one a home of its own with --home DIR or PMESH_HOME")
    }
}

impl std::error::Error for HomeInUse {}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn this(node: &str) -> Holder {
        Holder { pid: process::id(), node: node.to_owned(), admin: "off".to_owned() }
    }

    #[test]
    fn a_home_is_locked_once() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(holder(home.path()), None);
        let lock = HomeLock::take(home.path(), &this("a")).unwrap();
        assert_eq!(holder(home.path()), Some(this("a")));
        assert_eq!(fs::metadata(home.path().join(FILE)).unwrap().permissions().mode() & 0o7777, 0o600);

        let error = HomeLock::take(home.path(), &this("b")).unwrap_err().to_string();
        assert!(error.contains("node a, process ") && error.contains("--home"), "{error}");
        drop(lock);
        assert_eq!(holder(home.path()), None);
        assert!(HomeLock::take(home.path(), &this("b")).unwrap().is_some());
    }

    #[test]
    fn a_lock_file_left_by_a_crash_locks_nothing() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(FILE), serde_json::to_vec(&this(&"long".repeat(100))).unwrap()).unwrap();
        assert_eq!(holder(home.path()), None);
        let _lock = HomeLock::take(home.path(), &this("b")).unwrap().unwrap();
        assert_eq!(holder(home.path()).unwrap().node, "b");
    }

    #[test]
    fn a_read_only_home_is_served_without_a_lock() {
        // Not even root can write there.
        assert!(HomeLock::take(Path::new("/proc"), &this("a")).unwrap().is_none());
    }
}
