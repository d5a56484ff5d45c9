//! How a worker connects to other nodes.

use std::time::Duration;

use http::Uri;
use pmesh_layers::{
    balance,
    connect::SourceConnector,
    node::{NodeConnector, NodeIdentity},
    pool::Http2Pool,
};

use super::{Dialer, Link, Peer};
use crate::admission::room_connector::RoomConnector;

/// If a node sends nothing for this long while requests are in flight, it gets a PING.
const ASK_AFTER: Duration = Duration::from_secs(5);
/// If it does not answer the PING within this time, the connection is closed.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// How one worker connects to other nodes.
#[derive(Debug, Clone)]
pub struct Linker {
    /// The number of the worker, from 0.
    pub worker: usize,
    /// Opens the connections.
    pub connector: RoomConnector<SourceConnector>,
    /// The identity of this node.
    pub identity: NodeIdentity,
    /// How long a connection to a node may take to open, including TLS and HTTP/2.
    pub connect_timeout: Duration,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// Maximum age at which a connection gets new requests; `None` means no maximum.
    pub max_age: Option<Duration>,
    /// How long a connection may last after its secret was removed.
    pub grace: Duration,
}

impl Linker {
    /// The link of this worker to `peer`, which is created once and then kept for as long as the peer. `None` if [`Peers`]
    /// were built for fewer workers.
    ///
    /// [`Peers`]: super::Peers
    pub fn link<'a>(&self, peer: &'a Peer) -> Option<&'a Link> {
        Some(peer.links.by_worker.get(self.worker)?.get_or_init(|| {
            let connector = NodeConnector::new(self.connector.clone(), self.identity.clone(), peer.name.clone())
                .handshake_timeout(self.connect_timeout)
                .grace(self.grace);
            let dialer = Dialer::new(connector, &peer.addresses, self.connect_timeout);
            let pool = Http2Pool::new(dialer, Uri::from_static("https://node"))
                .idle_timeout(self.idle_timeout)
                .max_age(self.max_age)
                .connect_timeout(self.connect_timeout)
                .keep_alive(ASK_AFTER, ANSWER_WITHIN);
            balance::Endpoint::with_health(format!("mesh://{}", peer.name), pool, peer.links.health.clone())
        }))
    }
}
