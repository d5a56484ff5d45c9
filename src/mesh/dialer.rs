//! Connecting to a node at one of its addresses.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Uri, uri::Authority};
use pmesh_layers::{connect::SourceConnector, node::NodeConnector};
use tokio::time::{Instant, timeout};
use tower::{BoxError, Service, ServiceExt};

use crate::{admission::room_connector::RoomConnector, settings::endpoint::HostPort};

/// Connects to one node. It tries the address that worked last, then the others in turn.
#[derive(Debug, Clone)]
pub struct Dialer {
    connector: NodeConnector<RoomConnector<SourceConnector>>,
    addresses: Arc<[Uri]>,
    /// The index of the address to try first.
    last: Arc<AtomicUsize>,
    connect_timeout: Duration,
}

impl Dialer {
    pub(super) fn new(
        connector: NodeConnector<RoomConnector<SourceConnector>>,
        addresses: &[HostPort],
        connect_timeout: Duration,
    ) -> Self {
        // A host and a port always make a URI.
        let uri = |address| format!("https://{address}/").parse().ok();
        Self { connector, addresses: addresses.iter().filter_map(uri).collect(), last: Arc::default(), connect_timeout }
    }
}

impl Service<Uri> for Dialer {
    type Response = <NodeConnector<RoomConnector<SourceConnector>> as Service<Uri>>::Response;
    type Error = BoxError;
    // Boxed, but only once per connection, not per request.
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
                // The last attempt relies on the timeouts of its own steps, because their errors say more.
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
