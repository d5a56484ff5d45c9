use std::{
    future::pending,
    pin::pin,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures_util::future::{Either, select, try_join};
use tokio::time::{Instant, sleep_until};

use super::{closer::Closing, side::Side, watched::Watched};

/// How often to check a tunnel within its timeout.
const CHECKS_PER_TIMEOUT: u32 = 4;

/// Copies bytes both ways until the tunnel ends, then drops both sides, including their `Kept`.
pub(super) async fn tunnel(client: Side, backend: Side, timeout: Duration, closing: Option<Closing>) {
    let (client, backend) = match try_join(client.open(), backend.open()).await {
        Ok(sides) => sides,
        Err(error) => return tracing::debug!(%error, "a connection ended before it became a tunnel"),
    };
    let moved = AtomicU32::new(0);
    let (mut client, mut backend) = (Watched::new(client, &moved), Watched::new(backend, &moved));
    let copied = pin!(tokio::io::copy_bidirectional(&mut client, &mut backend));
    let closed = async {
        match closing {
            Some(closing) => closing.closed().await,
            None => pending().await,
        }
    };
    match select(select(copied, pin!(stalled(&moved, timeout))), pin!(closed)).await {
        Either::Left((Either::Left((Ok((sent, received)), _)), _)) => tracing::debug!(sent, received, "tunnel ended"),
        Either::Left((Either::Left((Err(error), _)), _)) => tracing::debug!(%error, "tunnel failed"),
        Either::Left((Either::Right(_), _)) => tracing::debug!("tunnel timed out: no byte for too long"),
        Either::Right(_) => tracing::debug!("tunnel closed"),
    }
}

/// Completes once `moved` has not changed for `timeout`. This way, copying need not read the clock.
async fn stalled(moved: &AtomicU32, timeout: Duration) {
    let (mut seen, mut since) = (moved.load(Ordering::Relaxed), Instant::now());
    while since.elapsed() < timeout {
        sleep_until((since + timeout).min(Instant::now() + timeout / CHECKS_PER_TIMEOUT)).await;
        let now = moved.load(Ordering::Relaxed);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
    }
}
