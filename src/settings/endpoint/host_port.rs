//! A host and a port.

use std::{fmt, str::FromStr};

use super::{EndpointHost, InvalidEndpoint};

/// A host and a port, which is not 0: `10.0.0.2:8443`, `[::1]:8443` or `name:8443`.
///
/// ```
/// use pmesh::settings::endpoint::HostPort;
///
/// let address: HostPort = "Berlin:8443".parse()?;
/// assert_eq!(address.to_string(), "berlin:8443");
/// # Ok::<(), pmesh::settings::endpoint::InvalidEndpoint>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// The host.
    pub host: EndpointHost,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// Parses an address. If it has no port, `default` is used.
    ///
    /// # Errors
    ///
    /// Fails if the host or the port is invalid.
    pub fn with_default_port(text: &str, default: u16) -> Result<Self, InvalidEndpoint> {
        let (host, port) = split(text);
        Ok(Self { host: host.parse()?, port: port.map_or(Ok(default), self::port)? })
    }
}

impl FromStr for HostPort {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        match split(text) {
            (_, None) => Err(InvalidEndpoint("the port is missing".to_owned())),
            (host, Some(port)) => Ok(Self { host: host.parse()?, port: self::port(port)? }),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Splits at the last colon, unless it is inside the brackets of an IPv6 address.
pub(super) fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

pub(super) fn port(text: &str) -> Result<u16, InvalidEndpoint> {
    let port = text.parse().ok().filter(|port| *port != 0);
    port.ok_or_else(|| InvalidEndpoint("the port is not a number from 1 to 65535".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_displays_addresses() {
        for text in ["10.0.0.2:8443", "[::1]:1", "name:65535"] {
            assert_eq!(text.parse::<HostPort>().expect(text).to_string(), text);
        }
        for text in ["10.0.0.2", "a:0", ":1", "::1:80", "http://a:1", "a:1/"] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
        let with_default = |text| HostPort::with_default_port(text, 4222).map(|address| address.to_string());
        assert_eq!(with_default("[::1]").as_deref(), Ok("[::1]:4222"));
        assert_eq!(with_default("a:1").as_deref(), Ok("a:1"));
    }
}
