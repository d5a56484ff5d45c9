//! Other programs: load generators, backends and proxies to compare with.

use std::{
    env, fs,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

/// The programs, each with its Debian package.
const PACKAGES: [(&str, &str); 5] = [
    ("nginx", "nginx"),
    ("haproxy", "haproxy"),
    ("wrk", "wrk"),
    ("h2load", "nghttp2-client"),
    ("taskset", "util-linux"),
];

/// Whether the program is on the PATH. If not, prints how to install it.
pub fn is_installed(program: &str) -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&paths).any(|folder| folder.join(program).is_file());
    if !found {
        let package = PACKAGES.iter().find(|(name, _)| *name == program).map_or(program, |(_, package)| package);
        eprintln!("{program} is not on the PATH: install it, on Debian with `apt install {package}`");
    }
    found
}

/// The standard output of `command`, which runs on one core.
///
/// # Panics
///
/// If it fails, with its standard error.
pub fn output(core: Option<&str>, command: &[&str]) -> String {
    let output = pinned(core, command).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn pinned(core: Option<&str>, command: &[&str]) -> Command {
    let words = match core {
        Some(core) => [&["taskset", "-c", core], command].concat(),
        None => command.to_vec(),
    };
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    command
}

/// A running program, killed with its children on drop.
pub struct Tool(Child);

impl Tool {
    /// Starts it on these cores and waits until all `addresses` accept connections.
    pub fn start(core: Option<&str>, command: &[&str], log: &Path, addresses: &[SocketAddr]) -> Self {
        let file = fs::File::create(log).unwrap();
        let mut child = pinned(core, command);
        child.stdout(file.try_clone().unwrap()).stderr(file).process_group(0);
        let tool = Self(child.spawn().unwrap());
        let begin = Instant::now();
        for address in addresses {
            while TcpStream::connect(address).is_err() {
                let log = || fs::read_to_string(log).unwrap_or_default();
                assert!(begin.elapsed() < Duration::from_secs(15), "{command:?} does not listen: {}", log());
                thread::sleep(Duration::from_millis(20));
            }
        }
        tool
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.0.id()).unwrap());
        let _ = killpg(group, Signal::SIGTERM);
        let begin = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) && begin.elapsed() < Duration::from_secs(8) {
            thread::sleep(Duration::from_millis(20));
        }
        let _ = killpg(group, Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

/// A loopback address with a free port, which is not reserved.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A folder that servers can still read after dropping root privileges.
pub fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}
