//! Asking the node of this home, or another node through the mesh.

use std::{io, os::unix::fs::MetadataExt, path::PathBuf, time::Duration};

use nix::unistd::{Uid, User};
use pmesh_layers::{connect::SourceConnector, identity::NodeName};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tower::BoxError;

use crate::{
    admin::{Client, ClientError, StatusReport},
    mesh::{AskError, NodeClient, identity},
    secret::Secrets,
    server::lock::{self, Holder},
    settings::{Admin, Settings},
};

/// How long the answer of another node may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the node of this home answers to `GET path`.
pub(super) async fn get<T: DeserializeOwned>(settings: &Settings, path: &str) -> Result<T, Unreachable> {
    Client::new(&settings.admin).get(path).await.map_err(|error| Unreachable::of(error, settings))
}

/// What the node of this home answers to `POST path`.
pub(super) async fn post<T: DeserializeOwned>(settings: &Settings, path: &str) -> Result<T, Unreachable> {
    Client::new(&settings.admin).post(path).await.map_err(|error| Unreachable::of(error, settings))
}

/// Another node, which is asked over the mesh, as the node of this home.
pub(super) struct OtherNode {
    client: NodeClient,
    name: NodeName,
}

impl OtherNode {
    /// The one called `name` of those that the node of this home knows; `None` if that is the node itself.
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

    /// What it answers to `GET path`.
    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &'static str) -> Result<T, Unreachable> {
        match timeout(PATIENCE, self.client.get(path)).await {
            Ok(Ok((answer, _))) => Ok(answer),
            Ok(Err(error)) => Err(Unreachable::Other(error)),
            Err(_) => Err(Unreachable::Late { node: self.name.clone() }),
        }
    }
}

/// Does something asynchronous, on this thread.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, BoxError>>) -> Result<T, BoxError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Why a node cannot be asked. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Unreachable {
    /// There is none.
    #[error(
        "no node runs in the home {home}: nobody listens on {admin}\n  `pmesh` starts one; if one runs in another home, \
         name that with --home or PMESH_HOME"
    )]
    NoNode {
        /// The home.
        home: PathBuf,
        /// Where it would be asked.
        admin: Admin,
    },
    /// There is one, and it cannot be asked.
    #[error(
        "node {node} (process {pid}), which runs in the home {home}, cannot be asked: it was started with admin = \
         \"off\"\n  start it again without that"
    )]
    RunsWithout {
        /// The home.
        home: PathBuf,
        /// Its name.
        node: String,
        /// Its process.
        pid: u32,
    },
    /// There is one, and it is asked elsewhere.
    #[error(
        "node {node} (process {pid}), which runs in the home {home}, does not listen on {admin}: it was started with \
         admin = \"{its}\"\n  set --admin or PMESH_ADMIN to that"
    )]
    Elsewhere {
        /// The home.
        home: PathBuf,
        /// Its name.
        node: String,
        /// Its process.
        pid: u32,
        /// Where it was looked for.
        admin: Admin,
        /// Where it is.
        its: String,
    },
    /// These settings say that it cannot be asked.
    #[error(
        "the node of the home {home} cannot be asked because admin = \"off\"\n  set it to \"unix\" and restart the \
         node"
    )]
    Off {
        /// The home.
        home: PathBuf,
    },
    /// It belongs to somebody else.
    #[error("no permission to ask the node on {admin}{}", run_as(.owner))]
    Forbidden {
        /// Where it is.
        admin: Admin,
        /// Who may.
        owner: Option<String>,
        /// What the system says.
        source: io::Error,
    },
    /// It could not do what the command wants.
    #[error("{0}")]
    Failed(String),
    /// It does not answer as it should.
    #[error("the node on {admin} cannot be asked")]
    Broken {
        /// Where it is.
        admin: Admin,
        /// What happened.
        source: ClientError,
    },
    /// No node of that name is known.
    #[error("node {by} knows no node {node}; it knows: {known}")]
    Unknown {
        /// Who was looked for.
        node: NodeName,
        /// Who was asked.
        by: String,
        /// Whom it knows.
        known: String,
    },
    /// Another node takes too long.
    #[error("node {node} has not answered for {} s", PATIENCE.as_secs())]
    Late {
        /// Its name.
        node: NodeName,
    },
    /// Another node cannot be asked.
    #[error(transparent)]
    Other(AskError),
}

impl Unreachable {
    /// What an error means of the node of this home.
    fn of(error: ClientError, settings: &Settings) -> Self {
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

/// Who runs the node of this home, as far as its files tell.
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
