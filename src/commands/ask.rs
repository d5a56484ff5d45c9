//! Queries the node in this home, or another node through the mesh.

use std::{io, ops::ControlFlow, os::unix::fs::MetadataExt, path::PathBuf, time::Duration};

use nix::unistd::{Uid, User};
use pmesh_layers::{connect::SourceConnector, identity::NodeName};
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;
use tower::BoxError;

use crate::{
    admin::{Client, ClientError, ErrorReport, StatusReport},
    mesh::{NodeClient, NodeClientError, identity},
    secret::Secrets,
    server::lock::{self, Holder},
    settings::{Admin, Settings},
};

/// How long another node has to respond.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends `GET path` to the node in this home.
pub(super) async fn get<T: DeserializeOwned>(settings: &Settings, path: &str) -> Result<T, Unreachable> {
    Client::new(&settings.admin).get(path).await.map_err(|error| Unreachable::from_error(error, settings))
}

/// Sends `POST path` to the node in this home.
pub(super) async fn post<T: DeserializeOwned>(settings: &Settings, path: &str) -> Result<T, Unreachable> {
    Client::new(&settings.admin).post(path).await.map_err(|error| Unreachable::from_error(error, settings))
}

/// Sends `POST path` to the node in this home, and waits for the response however long it takes.
pub(super) async fn post_patiently<T: DeserializeOwned>(settings: &Settings, path: &str) -> Result<T, Unreachable> {
    let posted = Client::new(&settings.admin).post_patiently(path).await;
    posted.map_err(|error| Unreachable::from_error(error, settings))
}

/// Sends `GET path` to the node in this home, and passes each line of the response to `take`.
pub(super) async fn stream<T: DeserializeOwned>(
    settings: &Settings,
    path: &str,
    take: impl FnMut(T) -> ControlFlow<()>,
) -> Result<(), Unreachable> {
    let streamed = Client::new(&settings.admin).stream(path, take).await;
    streamed.map_err(|error| Unreachable::from_error(error, settings))
}

/// Sends `POST path` with JSON to the node in this home.
pub(super) async fn post_json<T: DeserializeOwned>(
    settings: &Settings,
    path: &str,
    body: &impl Serialize,
) -> Result<T, Unreachable> {
    let posted = Client::new(&settings.admin).post_json(path, body).await;
    posted.map_err(|error| Unreachable::from_error(error, settings))
}

/// Another node, reached over the mesh with the identity of the node in this home.
pub(super) struct OtherNode {
    client: NodeClient,
    name: NodeName,
}

impl OtherNode {
    /// Asks the node in this home for the addresses of the node called `name`; `None` if that is the node itself.
    pub(super) async fn find(settings: &Settings, name: &NodeName) -> Result<Option<Self>, BoxError> {
        let StatusReport { node, peers, .. } = get(settings, "/v1/status").await?;
        if node.name == name.as_str() {
            return Ok(None);
        }
        let peers = peers.peers;
        let Some(peer) = peers.iter().find(|peer| peer.name == name.as_str()) else {
            let names: Vec<_> = peers.into_iter().map(|peer| peer.name).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(Unreachable::Unknown { node: name.clone(), by: node.name, known }.into());
        };
        let addresses = peer.addresses.iter().map(|address| address.parse()).collect::<Result<_, _>>()?;
        let secrets = Secrets::load(&settings.secret)?;
        let identity = identity(&Settings { node: node.name.parse()?, ..settings.clone() }, secrets.iter())?;
        let client = NodeClient::new(SourceConnector::new(), identity, name.clone(), addresses);
        Ok(Some(Self { client, name: name.clone() }))
    }

    /// Sends `GET path` to the node.
    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &'static str) -> Result<T, Unreachable> {
        match timeout(PATIENCE, self.client.get(path)).await {
            Ok(Ok((answer, _))) => Ok(answer),
            Ok(Err(error)) => Err(Unreachable::Other(error)),
            Err(_) => Err(Unreachable::Late { node: self.name.clone() }),
        }
    }
}

/// Runs a future on this thread.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, BoxError>>) -> Result<T, BoxError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Returns the node's message as JSON if `error` says that the node could not do what was requested; `None` for other
/// errors.
///
/// # Errors
///
/// None.
pub fn failure_as_json(error: &(dyn std::error::Error + 'static)) -> Result<Option<String>, BoxError> {
    let Some(Unreachable::Failed(message)) = error.downcast_ref() else { return Ok(None) };
    let report = ErrorReport { message: message.clone(), time: None };
    Ok(Some(serde_json::to_string_pretty(&report)? + "\n"))
}

/// Why a node cannot be reached. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// No node is running.
    #[error(
        "no node is running in the home {home}: nothing listens on {admin}\n  start one with `pmesh`, or name the home of \
         a running one with --home or PMESH_HOME"
    )]
    NoNode {
        /// The home.
        home: PathBuf,
        /// The address that was tried.
        admin: Admin,
    },
    /// The running node has no admin API.
    #[error(
        "node {node} (process {pid}), which runs in the home {home}, has no admin API: it was started with admin = \
         \"off\"\n  restart it without that setting"
    )]
    RunsWithout {
        /// The home.
        home: PathBuf,
        /// The name of the node.
        node: String,
        /// Its process id.
        pid: u32,
    },
    /// The running node has its admin API at another address.
    #[error(
        "node {node} (process {pid}), which runs in the home {home}, does not listen on {admin}: it was started with \
         admin = \"{its}\"\n  pass that value with --admin or PMESH_ADMIN"
    )]
    Elsewhere {
        /// The home.
        home: PathBuf,
        /// The name of the node.
        node: String,
        /// Its process id.
        pid: u32,
        /// The address that was tried.
        admin: Admin,
        /// The address of the node.
        its: String,
    },
    /// These settings turn the admin API off.
    #[error(
        "cannot reach the node in the home {home} because admin = \"off\"\n  set admin to \"unix\" and restart the node"
    )]
    Off {
        /// The home.
        home: PathBuf,
    },
    /// The socket belongs to another user.
    #[error("no permission to connect to the node on {admin}{}", run_as(.owner))]
    Forbidden {
        /// The address of the node.
        admin: Admin,
        /// The user who has permission.
        owner: Option<String>,
        /// The system's error.
        source: io::Error,
    },
    /// The node could not do what the command requested.
    #[error("{0}")]
    Failed(String),
    /// The node did not respond as expected.
    #[error("cannot query the node on {admin}")]
    Broken {
        /// The address of the node.
        admin: Admin,
        /// What happened.
        source: ClientError,
    },
    /// The node in this home does not know a node of this name.
    #[error("node {by} does not know node {node}; it knows: {known}")]
    Unknown {
        /// The node that was looked for.
        node: NodeName,
        /// The node in this home.
        by: String,
        /// The nodes that it knows.
        known: String,
    },
    /// Another node took too long to respond.
    #[error("node {node} did not respond within {} s", PATIENCE.as_secs())]
    Late {
        /// The name of the node.
        node: NodeName,
    },
    /// Another node cannot be reached.
    #[error(transparent)]
    Other(NodeClientError),
}

impl Unreachable {
    /// Interprets an error from the node in this home.
    fn from_error(error: ClientError, settings: &Settings) -> Self {
        let (home, admin) = (settings.home.clone(), settings.admin.clone());
        let source = match error {
            ClientError::Failed(message) => return Self::Failed(message),
            ClientError::Connect(source) => source,
            source => return Self::Broken { admin, source },
        };
        match (source.kind(), lock::holder(&home)) {
            (io::ErrorKind::PermissionDenied, _) => Self::Forbidden { owner: owner(settings), admin, source },
            (_, Some(Holder { pid, node, admin })) if admin == "off" => Self::RunsWithout { home, node, pid },
            (_, Some(Holder { pid, node, admin: its })) if its != admin.to_string() => {
                Self::Elsewhere { home, node, pid, admin, its }
            }
            _ if admin == Admin::Off => Self::Off { home },
            (io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused, None) => Self::NoNode { home, admin },
            _ => Self::Broken { admin, source: ClientError::Connect(source) },
        }
    }
}

/// The user who runs the node in this home, judging by the owner of its files.
fn owner(settings: &Settings) -> Option<String> {
    let socket = if let Admin::Unix(path) = &settings.admin { path.as_path() } else { &settings.home };
    let owner = |path| std::fs::metadata(path).ok().map(|metadata| metadata.uid());
    let uid = owner(socket).or_else(|| owner(&settings.home))?;
    let name = User::from_uid(Uid::from_raw(uid)).ok().flatten().map(|user| user.name);
    Some(name.unwrap_or_else(|| uid.to_string()))
}

fn run_as(owner: &Option<String>) -> String {
    owner.as_ref().map(|name| format!(": it belongs to {name}\n  run this command as that user")).unwrap_or_default()
}
