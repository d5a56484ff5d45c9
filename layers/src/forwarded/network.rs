use std::net::{IpAddr, Ipv6Addr};

/// What counts as one client: an IPv4 address, or an IPv6 /64, the least that a subscriber gets (RFC 6177).
///
/// ```
/// use std::net::IpAddr;
/// use pmesh_layers::forwarded::ClientNetwork;
///
/// # fn main() -> Result<(), std::net::AddrParseError> {
/// let network = |text: &str| text.parse::<IpAddr>().map(ClientNetwork::from);
/// assert_eq!(network("2001:db8::1")?, network("2001:db8::2")?);
/// assert_ne!(network("2001:db8::1")?, network("2001:db8:0:1::1")?);
/// assert_eq!(network("192.0.2.1")?, network("::ffff:192.0.2.1")?);
/// assert_ne!(network("192.0.2.1")?, network("192.0.2.2")?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientNetwork(IpAddr);

impl From<IpAddr> for ClientNetwork {
    fn from(ip: IpAddr) -> Self {
        Self(match ip.to_canonical() {
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
            ip @ IpAddr::V4(_) => ip,
        })
    }
}
