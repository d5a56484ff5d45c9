//! `[services.NAME]`: local programs that pmesh starts and supervises.

mod command;
mod env;
mod env_file;
mod limits;
mod name;
mod paths;
mod read;
mod ready;
mod signal;
mod user;
mod variable;
mod words;

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use http::uri::PathAndQuery;

pub use self::name::{InvalidServiceName, ServiceName};
pub(super) use self::{
    env_file::files as env_files,
    read::{names, read},
};
use super::Origin;

/// A program that pmesh runs, in one or more instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name: `service://NAME` in an upstream.
    pub name: ServiceName,
    /// What to run.
    pub command: ServiceCommand,
    /// The command as it is shown to people: in one line, and without the values of variables that it refers to, because
    /// these may be secrets.
    pub shown: String,
    /// The working directory. Default: the folder of the file that has the table.
    pub cwd: Option<PathBuf>,
    /// Variables, from `env_file` and `env`. They replace inherited ones.
    pub env: BTreeMap<String, String>,
    /// The user to run as; `None`: the user of pmesh.
    pub user: Option<ServiceUser>,
    /// The number of instances, at least 1.
    pub instances: u16,
    /// What an instance listens on.
    pub listen: ServiceListen,
    /// The port of all instances, not 0.
    pub port: u16,
    /// The protocol that they speak.
    pub protocol: ServiceProtocol,
    /// When an instance is ready for requests.
    pub ready: Ready,
    /// How long an instance may take to become ready.
    pub start_timeout: Duration,
    /// How long requests wait while no instance is ready.
    pub wait_timeout: Duration,
    /// The signal that asks an instance to stop.
    pub stop_signal: StopSignal,
    /// How long an instance may take to stop before it is killed.
    pub stop_timeout: Duration,
    /// When an instance that has exited is started again.
    pub restart: Restart,
    /// The longest pause between two starts of an instance that keeps failing.
    pub max_backoff: Duration,
    /// What an instance may use.
    pub limits: ServiceLimits,
    /// Where the output goes.
    pub output: ServiceOutput,
    /// Files and folders whose changes restart the service. Absolute.
    pub watch: Vec<PathBuf>,
    /// How long a service without requests keeps running; `None`: always.
    pub idle_stop: Option<Duration>,
    /// Where the user wrote it.
    pub origin: Origin,
}

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceCommand {
    /// A program and its arguments. There is at least the program. `{HOST}`, `{PORT}`, `{LISTEN}`, `{SOCKET}`,
    /// `{PMESH_SERVICE}` and `{PMESH_INSTANCE}` in the words stand for the variables of an instance.
    Program(Vec<String>),
    /// A line for `/bin/sh -c`.
    Shell(String),
}

/// A user, found when the settings were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUser {
    /// The name.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The id of its primary group.
    pub gid: u32,
    /// Its home folder, for `HOME`.
    pub home: PathBuf,
}

/// What an instance listens on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServiceListen {
    /// An address of its own in `subnet_service`, with the port that all share.
    #[default]
    Address,
    /// 127.0.0.1, or all addresses, with a port of its own: for programs that cannot choose the address.
    Port,
    /// A Unix socket of its own.
    Unix,
}

/// The protocol that the instances of a service speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ServiceProtocol {
    /// HTTP/1.1.
    #[default]
    Http,
    /// HTTP/2 without TLS, with prior knowledge.
    H2c,
}

/// When an instance is ready for requests.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Ready {
    /// Once it accepts connections.
    #[default]
    Port,
    /// Once it answers a GET of this path with a 2xx or 3xx status.
    Path(PathAndQuery),
    /// Once it has run for a second: for programs that do not listen.
    Started,
    /// Once it sends `READY=1` to the socket in `NOTIFY_SOCKET`, as for systemd.
    Notify,
}

/// A signal by its number on Linux, with its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopSignal {
    /// The number.
    pub number: i32,
    /// The name, such as `SIGTERM`.
    pub name: &'static str,
}

/// When an instance that has exited is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Restart {
    /// Always.
    #[default]
    Always,
    /// Unless it exits with status 0.
    OnFailure,
    /// Never.
    Never,
}

/// What an instance may use. `None`: no limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ServiceLimits {
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Open files.
    pub open_files: Option<u64>,
    /// Thousandths of a processor.
    pub millicpus: Option<u32>,
}

/// Where the output of a service goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ServiceOutput {
    /// To pmesh's log, line by line.
    #[default]
    Log,
    /// To this file, at its end.
    File(PathBuf),
    /// Nowhere but the last lines that `pmesh services logs` shows.
    Off,
}

impl Service {
    /// Whether instances of one can stay when the other replaces it, because both start the same process. The number of
    /// instances, timeouts, `ready`, `watch`, `idle_stop` and the like can differ.
    pub fn runs_like(&self, other: &Self) -> bool {
        self.command == other.command
            && self.cwd == other.cwd
            && self.env == other.env
            && self.user == other.user
            && self.listen == other.listen
            && self.port == other.port
            && self.protocol == other.protocol
            && self.limits == other.limits
            && self.output == other.output
    }
}

/// `web: 2 × node server.js`
impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} × {}", self.name, self.instances, self.shown)
    }
}
