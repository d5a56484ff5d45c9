//! The order in which the addresses of a name are tried.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// How long an address that lost to a later one is tried after the others. An address that is down delays one
/// connection per minute; an address that lost a single packet is back soon. RFC 6555, 4.2, suggests ten minutes.
const REMEMBERED: Duration = Duration::from_secs(60);
/// How many addresses are remembered.
const MAX_REMEMBERED: usize = 1024;

/// The addresses that lost to later ones, because they failed or were slow to respond.
///
/// Remembering these, and not the addresses that worked, keeps the load spread over the other addresses of a name when
/// one is down.
#[derive(Debug, Default)]
pub(super) struct Losers(Mutex<HashMap<SocketAddr, Instant>>);

impl Losers {
    /// Puts the addresses in the order in which to try them.
    pub(super) fn order(&self, addresses: &mut Vec<SocketAddr>) {
        if addresses.len() < 2 {
            return;
        }
        // IPv4 loopback before IPv6 loopback, because only IPv4 has a subnet of source addresses.
        addresses.sort_by_key(|address| address.ip().is_loopback() && address.is_ipv6());
        interleave(addresses);
        let (losers, now) = (self.lock(), Instant::now());
        if !losers.is_empty() {
            addresses.sort_by_key(|address| losers.get(address).is_some_and(|until| now < *until));
        }
    }

    /// Notes that a connection to `winner` opened before connections to `losers`.
    pub(super) fn record(&self, winner: SocketAddr, losers: &[SocketAddr]) {
        let (mut known, until) = (self.lock(), Instant::now() + REMEMBERED);
        known.remove(&winner);
        if known.len() + losers.len() > MAX_REMEMBERED {
            known.retain(|_, until| Instant::now() < *until);
        }
        let room = MAX_REMEMBERED.saturating_sub(known.len());
        known.extend(losers.iter().take(room).map(|address| (*address, until)));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddr, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Alternates between the address families while both have addresses left (RFC 8305, 4).
fn interleave(addresses: &mut Vec<SocketAddr>) {
    let is_first_family = |address: &SocketAddr| address.is_ipv4() == addresses[0].is_ipv4();
    let (first, second): (Vec<SocketAddr>, Vec<SocketAddr>) = addresses.iter().partition(|one| is_first_family(one));
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    addresses.clear();
    while first.len() + second.len() > 0 {
        addresses.extend(first.next().into_iter().chain(second.next()));
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    fn listed(text: &str) -> Vec<SocketAddr> {
        text.split_whitespace().map(|address| SocketAddr::new(address.parse().unwrap(), 80)).collect()
    }

    #[tokio::test]
    async fn families_take_turns_and_ipv4_loopback_comes_first() {
        for (given, expected) in [
            ("::1 127.0.0.1", "127.0.0.1 ::1"),
            ("2001:db8::1 2001:db8::2 192.0.2.1", "2001:db8::1 192.0.2.1 2001:db8::2"),
            ("192.0.2.1 192.0.2.2 192.0.2.3 2001:db8::1", "192.0.2.1 2001:db8::1 192.0.2.2 192.0.2.3"),
            ("192.0.2.2 192.0.2.1", "192.0.2.2 192.0.2.1"),
            ("192.0.2.1", "192.0.2.1"),
            ("", ""),
        ] {
            let mut addresses = listed(given);
            Losers::default().order(&mut addresses);
            assert_eq!(addresses, listed(expected), "{given}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_lost_a_race_comes_last_for_a_while_or_until_it_wins() {
        let losers = Losers::default();
        let order = |text: &str| {
            let mut addresses = listed(text);
            losers.order(&mut addresses);
            addresses
        };
        let [a, b, c] = listed("192.0.2.1 192.0.2.2 192.0.2.3").try_into().unwrap();
        losers.record(b, &[a]);
        assert_eq!(order("192.0.2.1 192.0.2.2 192.0.2.3"), [b, c, a]);
        // The others keep their order.
        assert_eq!(order("192.0.2.3 192.0.2.1 192.0.2.2"), [c, b, a]);
        losers.record(a, &[c, b]);
        assert_eq!(order("192.0.2.1 192.0.2.2 192.0.2.3"), [a, b, c]);
        assert_eq!(order("192.0.2.3 192.0.2.1 192.0.2.2"), [a, c, b]);
        advance(REMEMBERED).await;
        assert_eq!(order("192.0.2.3 192.0.2.1 192.0.2.2"), [c, a, b]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_memory_is_bounded() {
        let losers = Losers::default();
        let address = |number: u16| SocketAddr::from(([192, 0, 2, 1], number));
        for number in 0..3000 {
            losers.record(address(9999), &[address(number)]);
        }
        assert_eq!(losers.lock().len(), MAX_REMEMBERED);
        advance(REMEMBERED).await;
        losers.record(address(9999), &[address(0)]);
        assert_eq!(losers.lock().len(), 1);
    }
}
