use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Uri, uri::Authority};
use pmesh_layers::{
    balance,
    connect::SourceConnector,
    identity::NodeName,
    node::{NodeConnector, NodeIdentity},
    pool::Http2Pool,
};
use tokio::time::{Instant, timeout};
use tower::{BoxError, Service, ServiceExt};

use super::Peer;
use crate::{admission::room_connector::RoomConnector, body::ForwardedBody, telemetry::outages};

/// If a node sends nothing for this long while requests are in flight, it gets a PING; without an answer in time, the
/// connection is given up.
const ASK_AFTER: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The connections of one worker to one node, and what requests have found out about its health.
pub type Link = balance::Endpoint<Http2Pool<Dialer, ForwardedBody>>;

/// The links of all workers to one node: one place for each. Clones are the same links.
#[derive(Debug, Clone)]
pub(super) struct Links {
    of_workers: Arc<[OnceLock<Link>]>,
    health: balance::Health,
}

impl Links {
    pub(super) fn new(node: &NodeName, workers: usize) -> Self {
        let of_workers = (0..workers).map(|_| OnceLock::new()).collect();
        Self { of_workers, health: outages::logged(format!("mesh://{node}")) }
    }

    pub(super) fn made(&self) -> impl Iterator<Item = &Link> {
        self.of_workers.iter().filter_map(OnceLock::get)
    }

    pub(super) fn health(&self) -> &balance::Health {
        &self.health
    }

    #[cfg(test)]
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.of_workers, &other.of_workers)
    }
}

/// How one worker connects to other nodes.
#[derive(Debug, Clone)]
pub struct Linker {
    /// The number of the worker, from 0.
    pub worker: usize,
    /// What makes the connections.
    pub connector: RoomConnector<SourceConnector>,
    /// Who this node is.
    pub identity: NodeIdentity,
    /// How long a connection to a node may take to open, with TLS and HTTP/2.
    pub connect_timeout: Duration,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// Maximum age at which a connection takes new requests; `None`: no maximum.
    pub max_age: Option<Duration>,
    /// How long a connection may last after its secret was dropped.
    pub grace: Duration,
}

impl Linker {
    /// The link of this worker to `peer`, the same as long as the peer is; `None` for a worker that [`Peers`] do not
    /// expect.
    ///
    /// [`Peers`]: super::Peers
    pub fn link<'a>(&self, peer: &'a Peer) -> Option<&'a Link> {
        Some(peer.links.of_workers.get(self.worker)?.get_or_init(|| {
            let pool = Http2Pool::new(Dialer::new(self, peer), Uri::from_static("https://node"))
                .idle_timeout(self.idle_timeout)
                .max_age(self.max_age)
                .connect_timeout(self.connect_timeout)
                .keep_alive(ASK_AFTER, ANSWER_WITHIN);
            balance::Endpoint::with_health(format!("mesh://{}", peer.name), pool, peer.links.health.clone())
        }))
    }
}

/// Connects to one node, first at the address that worked last, then at its other addresses in turn.
#[derive(Debug, Clone)]
pub struct Dialer {
    connector: NodeConnector<RoomConnector<SourceConnector>>,
    addresses: Arc<[Uri]>,
    /// The index of the address to begin with.
    last: Arc<AtomicUsize>,
    connect_timeout: Duration,
}

impl Dialer {
    fn new(linker: &Linker, peer: &Peer) -> Self {
        let connector = NodeConnector::new(linker.connector.clone(), linker.identity.clone(), peer.name.clone())
            .handshake_timeout(linker.connect_timeout)
            .grace(linker.grace);
        // An address is a host and a port, of which a URI can be made.
        let uri = |address| format!("https://{address}/").parse().ok();
        let addresses = peer.addresses.iter().filter_map(uri).collect();
        Self { connector, addresses, last: Arc::default(), connect_timeout: linker.connect_timeout }
    }
}

impl Service<Uri> for Dialer {
    type Response = <NodeConnector<RoomConnector<SourceConnector>> as Service<Uri>>::Response;
    type Error = BoxError;
    // Boxed: once a connection, not a request.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { connector, addresses, last, connect_timeout } = self.clone();
        Box::pin(async move {
            let mut failed = None;
            let deadline = Instant::now() + connect_timeout;
            let first = last.load(Ordering::Relaxed);
            for (index, left) in (first..first + addresses.len()).zip((1..=addresses.len()).rev()) {
                let index = index % addresses.len();
                // Each address gets an equal share of the remaining time.
                let share = (deadline - Instant::now()) / u32::try_from(left).unwrap_or(u32::MAX);
                let connecting = connector.clone().oneshot(addresses[index].clone());
                // The last attempt ends by the timeouts of its own steps, and their errors say more.
                match if left > 1 { timeout(share, connecting).await } else { Ok(connecting.await) } {
                    Ok(Ok(connection)) => {
                        last.store(index, Ordering::Relaxed);
                        return Ok(connection);
                    }
                    Ok(Err(error)) => failed = Some(error.into()),
                    Err(_) => failed = Some(timed_out(&addresses[index], share).into()),
                }
            }
            Err(failed.unwrap_or_else(|| "the node has no address".into()))
        })
    }
}

fn timed_out(address: &Uri, share: Duration) -> io::Error {
    let place = address.authority().map_or("the node", Authority::as_str);
    io::Error::new(io::ErrorKind::TimedOut, format!("cannot connect to {place} within {share:.1?}"))
}
