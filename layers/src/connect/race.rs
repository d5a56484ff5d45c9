//! Connects to the first of several addresses that responds (RFC 8305).

use std::{future::Future, net::SocketAddr, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::timeout;

/// How long an address may take before the next one is tried as well (RFC 8305, 5).
const DELAY: Duration = Duration::from_millis(250);

/// The first connection, its address, and the addresses that were tried before it.
#[derive(Debug)]
pub(super) struct Winner<'a, T> {
    pub(super) connection: T,
    pub(super) address: SocketAddr,
    pub(super) passed: &'a [SocketAddr],
}

/// Tries the addresses in order. When one fails or takes longer than the delay, the next one is tried, in parallel with
/// attempts that are still under way. If all fail, returns the error of the last one to fail; `None` if there are no
/// addresses.
pub(super) async fn race<'a, T, E, F>(
    addresses: &'a [SocketAddr],
    attempt: impl Fn(SocketAddr) -> F,
) -> Option<Result<Winner<'a, T>, E>>
where
    F: Future<Output = Result<T, E>>,
{
    let (mut attempts, mut failure) = (FuturesUnordered::new(), None);
    let mut next = 0;
    loop {
        let delay = match addresses.get(next) {
            Some(address) => {
                let (index, connecting) = (next, attempt(*address));
                attempts.push(async move { (index, connecting.await) });
                next += 1;
                if next < addresses.len() { Some(DELAY) } else { None }
            }
            None => None,
        };
        let ended = match delay {
            Some(delay) => match timeout(delay, attempts.next()).await {
                Ok(ended) => ended,
                Err(_) => continue,
            },
            None => attempts.next().await,
        };
        match ended {
            Some((index, Ok(connection))) => {
                return Some(Ok(Winner { connection, address: addresses[index], passed: &addresses[..index] }));
            }
            Some((_, Err(error))) => failure = Some(error),
            None => return failure.map(Err),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    const BLACK_HOLE: Duration = Duration::MAX;

    fn address(number: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, number], 80))
    }

    /// Races addresses that each succeed or fail after some time. Returns the index of the winner and the time it took.
    async fn winner(addresses: &[(Duration, bool)]) -> (Option<u8>, Duration) {
        let (start, count) = (Instant::now(), u8::try_from(addresses.len()).unwrap());
        let listed: Vec<_> = (0..count).map(address).collect();
        let won = race(&listed, async |tried: SocketAddr| {
            let index = listed.iter().position(|address| *address == tried).unwrap();
            let (takes, succeeds) = addresses[index];
            sleep(takes).await;
            if succeeds { Ok(index) } else { Err(index) }
        });
        let index = match won.await {
            Some(Ok(won)) => {
                assert_eq!(won.address, listed[won.connection]);
                assert_eq!(won.passed, &listed[..won.connection]);
                Some(u8::try_from(won.connection).unwrap())
            }
            _ => None,
        };
        (index, start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_address_is_tried_after_a_failure_or_a_quarter_of_a_second() {
        let ms = Duration::from_millis;
        for (addresses, expected) in [
            (&[(ms(10), true), (ms(0), true)][..], (Some(0), ms(10))),
            (&[(BLACK_HOLE, true), (ms(10), true)], (Some(1), ms(260))),
            (&[(BLACK_HOLE, true), (BLACK_HOLE, true), (ms(10), true)], (Some(2), ms(510))),
            (&[(ms(10), false), (ms(20), true)], (Some(1), ms(30))),
            // The first to connect wins, even if it was not tried first.
            (&[(ms(500), true), (ms(10), true)], (Some(1), ms(260))),
            (&[(ms(300), true), (ms(100), true)], (Some(0), ms(300))),
            (&[(ms(300), false), (ms(400), true), (ms(10), true)], (Some(2), ms(310))),
            (&[(ms(10), false), (ms(20), false)], (None, ms(30))),
            (&[(ms(10), false)], (None, ms(10))),
            (&[], (None, ms(0))),
        ] {
            assert_eq!(winner(addresses).await, expected, "{addresses:?}");
        }
    }
}
