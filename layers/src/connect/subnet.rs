use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::BuildHasher,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
};

use ipnet::Ipv4Net;

/// A range of loopback addresses that connections use in turn as their source.
///
/// Each address has its own ephemeral ports for each destination, so a range of 2^16 addresses with 2^15 ports each
/// allows 2^31 connections to one backend. The network and the broadcast address of the range are left out.
///
/// The first address is chosen at random, and each connection uses the next one. A connector and its clones take turns
/// together.
///
/// ```
/// use pmesh_layers::connect::SourceSubnet;
///
/// let subnet: SourceSubnet = "127.2.0.0/16".parse()?;
/// assert_eq!(subnet.addresses(), 65_534);
/// assert_ne!(subnet.next_address(), subnet.next_address());
/// # Ok::<(), pmesh_layers::connect::InvalidSubnet>(())
/// ```
#[derive(Debug)]
pub struct SourceSubnet {
    net: Ipv4Net,
    /// Counts connections; taken modulo the number of addresses.
    next: AtomicU32,
}

impl SourceSubnet {
    /// Creates a range of loopback addresses, such as 127.2.0.0/16.
    ///
    /// # Errors
    ///
    /// Returns [`InvalidSubnet`] if the range is outside 127.0.0.0/8 or has fewer than two usable addresses.
    pub fn new(net: Ipv4Net) -> Result<Self, InvalidSubnet> {
        if !net.addr().is_loopback() || net.prefix_len() < 8 {
            return Err(InvalidSubnet::NotLoopback);
        }
        if net.prefix_len() > 30 {
            return Err(InvalidSubnet::TooSmall);
        }
        // Otherwise, several users of one range, such as the workers of a program, would go through it in step. The
        // keys of `RandomState` come from the system's random numbers.
        let start = RandomState::new().hash_one(net) >> 32;
        Ok(Self { net: net.trunc(), next: AtomicU32::new(u32::try_from(start).unwrap_or(0)) })
    }

    /// The range.
    pub fn net(&self) -> Ipv4Net {
        self.net
    }

    /// The number of usable addresses.
    pub fn addresses(&self) -> u32 {
        (1 << (32 - self.net.prefix_len())) - 2
    }

    /// Whether `address` is in the range, including the first and last address, which are not used.
    pub fn contains(&self, address: IpAddr) -> bool {
        matches!(address, IpAddr::V4(v4) if self.net.contains(&v4))
    }

    /// Returns the next address in turn.
    pub fn next_address(&self) -> Ipv4Addr {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.addresses();
        Ipv4Addr::from_bits(self.net.network().to_bits() + 1 + turn)
    }
}

impl FromStr for SourceSubnet {
    type Err = InvalidSubnet;

    fn from_str(text: &str) -> Result<Self, InvalidSubnet> {
        Self::new(text.parse().map_err(|_| InvalidSubnet::Syntax)?)
    }
}

impl fmt::Display for SourceSubnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.net.fmt(f)
    }
}

/// A subnet that cannot be used for connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSubnet {
    /// Not an IPv4 network in CIDR notation.
    #[error("expected an IPv4 network such as 127.2.0.0/16")]
    Syntax,
    /// Outside 127.0.0.0/8. Only loopback addresses need no setup.
    #[error("the network must lie inside 127.0.0.0/8")]
    NotLoopback,
    /// A /31 or /32.
    #[error("the network must hold at least two usable addresses: /30 or larger")]
    TooSmall,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_take_turns_and_skip_the_ends() {
        let subnet: SourceSubnet = "127.2.0.0/30".parse().expect("valid");
        let mut taken: Vec<_> = (0..4).map(|_| subnet.next_address().to_string()).collect();
        assert_eq!(taken[..2], taken[2..]);
        taken.sort_unstable();
        assert_eq!(taken, ["127.2.0.1", "127.2.0.1", "127.2.0.2", "127.2.0.2"]);
        assert_eq!("127.2.0.0/16".parse::<SourceSubnet>().expect("valid").addresses(), 65534);
    }

    #[test]
    fn a_host_address_stands_for_its_network() {
        assert_eq!("127.2.3.4/16".parse::<SourceSubnet>().expect("valid").to_string(), "127.2.0.0/16");
    }

    #[test]
    fn only_loopback_networks_are_accepted() {
        for (text, error) in [
            ("10.0.0.0/8", InvalidSubnet::NotLoopback),
            ("126.0.0.0/7", InvalidSubnet::NotLoopback),
            ("127.0.0.1/32", InvalidSubnet::TooSmall),
            ("127.0.0.1", InvalidSubnet::Syntax),
            ("127.0.0.0/33", InvalidSubnet::Syntax),
            ("::1/128", InvalidSubnet::Syntax),
        ] {
            assert_eq!(text.parse::<SourceSubnet>().err(), Some(error), "{text}");
        }
    }
}
