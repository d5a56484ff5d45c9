use std::{net::SocketAddr, path::PathBuf, time::Duration};

use pmesh_layers::{connect::SourceConnector, identity::NodeName, node::NodeIdentity};
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use tower::BoxError;

use crate::{
    mesh::{AskError, NodeClient, PeersReport, identity},
    secret::Secrets,
    server::running::Running,
    settings::{
        Settings,
        endpoint::{EndpointHost, HostPort},
    },
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A node that runs, to be asked.
pub(super) struct Node {
    client: NodeClient,
    name: NodeName,
}

impl Node {
    /// The one of this home, or the one called `other` of those that it knows.
    pub(super) async fn find(settings: &Settings, other: Option<&NodeName>) -> Result<Self, BoxError> {
        let home = &settings.home;
        let running = Running::of(home)
            .map_err(|error| format!("cannot read what a node has left in the home {}: {error}", home.display()))?
            .ok_or_else(|| Unreachable::NoNode { home: home.clone() })?;
        let name: NodeName = running.node.parse()?;
        let secrets = Secrets::load(&settings.secret)?;
        let identity = identity(&Settings { node: name.clone(), ..settings.clone() }, secrets.iter())?;
        let address = HostPort { host: EndpointHost::Address(running.internal.ip()), port: running.internal.port() };
        let mut node = Self::new(&identity, name, vec![address]);
        let Some(other) = other.filter(|other| **other != node.name) else {
            // Asked for nothing in particular, to tell why it cannot be.
            return match node.get::<serde_json::Value>("/v1/health").await {
                Ok(_) => Ok(node),
                Err(error) => Err(Unreachable::gone(error, settings, &running).into()),
            };
        };
        let known: PeersReport =
            node.get("/v1/peers").await.map_err(|error| Unreachable::gone(error, settings, &running))?;
        let Some(peer) = known.peers.iter().find(|peer| peer.name == other.as_str()) else {
            let names: Vec<_> = known.peers.into_iter().map(|peer| peer.name).collect();
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            return Err(Unreachable::Unknown { node: other.clone(), by: node.name, known }.into());
        };
        let addresses = peer.addresses.iter().map(|address| address.parse()).collect::<Result<_, _>>()?;
        Ok(Self::new(&identity, other.clone(), addresses))
    }

    fn new(identity: &NodeIdentity, name: NodeName, addresses: Vec<HostPort>) -> Self {
        let client = NodeClient::new(SourceConnector::new(), identity.clone(), name.clone(), addresses);
        Self { client, name }
    }

    /// What it answers for `path`.
    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &'static str) -> Result<T, Unreachable> {
        match timeout(PATIENCE, self.client.get(path)).await {
            Ok(Ok((answer, _))) => Ok(answer),
            Ok(Err(error)) => Err(Unreachable::Failed(error)),
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
    /// None has left its file.
    #[error(
        "no node runs in the home {home}: `pmesh` starts one; if one runs in another home, name that by --home or \
         PMESH_HOME; one with internal = \"off\" cannot be asked"
    )]
    NoNode {
        /// The home.
        home: PathBuf,
    },
    /// One has left its file, and is not there.
    #[error("no node runs in the home {home} any more: nobody listens at {internal}, where process {pid} did")]
    Gone {
        /// The home.
        home: PathBuf,
        /// Where it was.
        internal: SocketAddr,
        /// What it was.
        pid: u32,
        /// What the system says.
        source: AskError,
    },
    /// It does not believe us.
    #[error(
        "node {node} ({internal}) is silent: it runs with another secret than the one of these settings; name the same \
         home, PMESH_SECRET or secret_file as it was started with, and compare `pmesh secret fingerprint`"
    )]
    OtherSecret {
        /// Its name.
        node: String,
        /// Where it is.
        internal: SocketAddr,
    },
    /// Nobody of that name is known.
    #[error("node {by} knows no node {node}; it knows: {known}")]
    Unknown {
        /// Who was looked for.
        node: NodeName,
        /// Who was asked.
        by: NodeName,
        /// Whom it knows.
        known: String,
    },
    /// It takes too long.
    #[error("node {node} has not answered for {} s", PATIENCE.as_secs())]
    Late {
        /// Its name.
        node: NodeName,
    },
    /// Whatever else.
    #[error(transparent)]
    Failed(AskError),
}

impl Unreachable {
    /// What it means of the node of this home.
    fn gone(self, settings: &Settings, running: &Running) -> Self {
        let &Running { pid, internal, .. } = running;
        match self {
            Self::Failed(source) if source.is_unconnected() => {
                Self::Gone { home: settings.home.clone(), internal, pid, source }
            }
            Self::Failed(error) if error.is_silence() => Self::OtherSecret { node: running.node.clone(), internal },
            error => error,
        }
    }
}
