//! Settings of the mesh: other nodes, the registry, certificates.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use figment::value::Value;
use pmesh_layers::identity::NodeName;

use super::{PemFile, RegistryServers, endpoint::HostPort};
use crate::config::{Merged, Node, Parse, Problem, Problems, Reason, misplaced, names, text};

/// Other nodes: where they are, and how nodes find and trust each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mesh {
    /// The internal ports of nodes with fixed addresses, without this node itself.
    pub peers: BTreeMap<NodeName, HostPort>,
    /// The registry through which nodes find each other.
    pub registry: Option<RegistryServers>,
    /// The bucket in the registry.
    pub registry_bucket: String,
    /// Where others reach the internal port, if it is set. See [`Settings::advertised`](super::Settings::advertised).
    pub advertise: Option<HostPort>,
    /// How far apart the clocks of two nodes may be.
    pub clock_window: Duration,
    /// Certificate files, which replace the certificates derived from the secret.
    pub files: Option<MeshFiles>,
}

/// An authority for nodes, and this node's certificate, all in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshFiles {
    /// The authority.
    pub ca: PemFile,
    /// The chain.
    pub cert: PemFile,
    /// The key.
    pub key: PemFile,
}

impl Mesh {
    /// Whether this node knows other nodes, or can find them through the registry.
    pub fn is_used(&self) -> bool {
        self.registry.is_some() || !self.peers.is_empty()
    }

    pub(super) fn read(merged: &Merged, own: &NodeName, problems: &mut Problems) -> Self {
        Self {
            peers: peers(merged, own, problems),
            registry: merged.node("mesh_registry").and_then(|node| problems.note(registry(&node))),
            registry_bucket: merged.read("mesh_registry_bucket", problems).map(|Bucket(name)| name).unwrap_or_default(),
            advertise: merged.read("mesh_advertise", problems),
            clock_window: merged.read("mesh_clock_window", problems).unwrap_or_default(),
            files: files(merged, problems),
        }
    }
}

/// Reads a table from the file, or a list of `NAME=HOST:PORT` from the other sources.
fn peers(merged: &Merged, own: &NodeName, problems: &mut Problems) -> BTreeMap<NodeName, HostPort> {
    let mut peers = BTreeMap::new();
    let Some(node) = merged.node("mesh_peers") else { return peers };
    let found: Vec<(Node<'_>, Option<Peer>)> = match node.value.as_dict() {
        Some(table) => table
            .keys()
            .filter_map(|name| Some((name, node.field(name)?)))
            .map(|(name, address)| {
                let peer = peer(name, &address).map_err(|problem| match misplaced(name) {
                    Some(instead) => address.problem(instead),
                    None => problem,
                });
                (address, problems.note(peer))
            })
            .collect(),
        None if node.is_from_file() => {
            problems.push(node.unexpected("a table such as { b = \"10.0.0.2:8443\" }"));
            return peers;
        }
        None => {
            let elements = problems.note(node.elements()).unwrap_or_default();
            elements.into_iter().map(|element| (element.clone(), element.read(problems))).collect()
        }
    };
    for (node, peer) in found {
        let Some(Peer(name, address)) = peer else { continue };
        match peers.entry(name) {
            Entry::Occupied(first) => problems.push(node.problem(format!("node {} is named twice", first.key()))),
            Entry::Vacant(free) => drop(free.insert(address)),
        }
    }
    // All nodes can then have the same list.
    peers.remove(own);
    peers
}

fn peer(name: &str, address: &Node<'_>) -> Result<Peer, Problem> {
    let name = name.parse().map_err(|error| address.problem(format!("{error}")))?;
    Ok(Peer(name, address.parse()?))
}

/// Errors do not repeat the value, because it may hold a password.
fn registry(node: &Node<'_>) -> Result<RegistryServers, Problem> {
    let problem = |reason: String| node.problem(format!("expected a server such as nats://127.0.0.1:4222{reason}"));
    let text = node.value.as_str().ok_or_else(|| problem(String::new()))?;
    text.parse().map_err(|error| match node.references() {
        // The reason may repeat an address from the variable.
        Some(_) => problem(", found a value that is not shown".into()),
        None => problem(format!(": {error}")),
    })
}

fn files(merged: &Merged, problems: &mut Problems) -> Option<MeshFiles> {
    const KEYS: [&str; 3] = ["mesh_ca", "mesh_cert", "mesh_key"];

    let nodes = KEYS.map(|key| merged.node(key));
    let given = nodes.iter().flatten().next()?;
    let missing: Vec<_> =
        KEYS.iter().zip(&nodes).filter(|(_, node)| node.is_none()).map(|(key, _)| names(key)).collect();
    if !missing.is_empty() {
        problems.push(given.problem(format!(
            "an authority, a certificate and its key go together; set {} too",
            missing.join(", and ")
        )));
        return None;
    }
    let [ca, cert, key] = nodes.map(|node| {
        let node = node?;
        Some(PemFile { path: node.read(problems)?, origin: (&node).into() })
    });
    Some(MeshFiles { ca: ca?, cert: cert?, key: key? })
}

struct Peer(NodeName, HostPort);

impl Parse for Peer {
    const EXPECTED: &'static str = "NAME=HOST:PORT";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let (name, address) = text(value)?.split_once('=').ok_or(None)?;
        let name = name.parse().map_err(|error| Some(format!("{error}")))?;
        Ok(Self(name, address.parse().map_err(|error| Some(format!("{error}")))?))
    }
}

struct Bucket(String);

impl Parse for Bucket {
    const EXPECTED: &'static str = "letters, digits, - and _";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let name = text(value)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || !name.chars().all(is_plain) { Err(None) } else { Ok(Self(name.to_owned())) }
    }
}
