//! Addresses of upstreams.

use std::{fmt, net::IpAddr, str::FromStr};

use pmesh_layers::host::HostName;

/// One address of an upstream: where requests are sent, over `http://`.
///
/// Written as `127.0.0.1:9001`, `[::1]:9001`, `name:8080` or with `http://` in front, where the port may be left out
/// and is then 80.
///
/// ```
/// use pmesh::endpoint::Endpoint;
///
/// let endpoint: Endpoint = "http://backend".parse()?;
/// assert_eq!(endpoint.to_string(), "backend:80");
/// # Ok::<(), pmesh::endpoint::InvalidEndpoint>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The machine.
    pub host: EndpointHost,
    /// The port, from 1.
    pub port: u16,
}

/// The machine an upstream runs on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndpointHost {
    /// Its address.
    Address(IpAddr),
    /// Its name, to be resolved.
    Name(HostName),
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let invalid = |reason: &str| InvalidEndpoint(reason.to_owned());
        let (scheme, authority) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, text),
        };
        if scheme.is_some_and(|scheme| !scheme.eq_ignore_ascii_case("http")) || text.starts_with("unix:") {
            return Err(invalid("this version speaks http:// to upstreams only"));
        }
        if authority.contains(['/', '?', '#']) {
            return Err(invalid("a path cannot follow the address"));
        }
        let (host, port) = split_port(authority);
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0),
            None if scheme.is_some() => Some(80),
            None => return Err(invalid("the port is missing")),
        };
        let host = host.parse()?;
        Ok(Self { host, port: port.ok_or_else(|| invalid("the port is not a number from 1 to 65535"))? })
    }
}

/// Splits at the colon that no bracket follows.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

impl FromStr for EndpointHost {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        if text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) {
            return Err(InvalidEndpoint(format!("an IPv6 address is written as [{text}]")));
        }
        let name: HostName = text.parse().map_err(|error| InvalidEndpoint(format!("{error}")))?;
        if !name.is_ip() {
            return Ok(Self::Name(name));
        }
        let address = name.as_str().trim_start_matches('[').trim_end_matches(']');
        address.parse().map(Self::Address).map_err(|_| InvalidEndpoint(format!("{address} is no IP address")))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Display for EndpointHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// Text that is no address of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidEndpoint(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_and_names() {
        for (text, expected) in [
            ("127.0.0.1:9001", "127.0.0.1:9001"),
            ("http://127.0.0.1:9001", "127.0.0.1:9001"),
            ("HTTP://Name:8080", "name:8080"),
            ("name:8080", "name:8080"),
            ("my_service.default.svc:1", "my_service.default.svc:1"),
            ("[::1]:65535", "[::1]:65535"),
            ("http://[::1]", "[::1]:80"),
            ("http://name", "name:80"),
        ] {
            let endpoint: Endpoint = text.parse().expect(text);
            assert_eq!(endpoint.to_string(), expected);
            assert_eq!(expected.parse(), Ok(endpoint));
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, expected) in [
            ("https://a:443", "this version speaks http:// to upstreams only"),
            ("h2c://a:80", "this version speaks http:// to upstreams only"),
            ("unix:/run/a.sock", "this version speaks http:// to upstreams only"),
            ("unix:///run/a.sock", "this version speaks http:// to upstreams only"),
            ("127.0.0.1:9001/", "a path cannot follow the address"),
            ("http://a/b", "a path cannot follow the address"),
            ("a?b", "a path cannot follow the address"),
            ("127.0.0.1", "the port is missing"),
            ("a:0", "the port is not a number from 1 to 65535"),
            ("a:65536", "the port is not a number from 1 to 65535"),
            ("a:", "the port is not a number from 1 to 65535"),
            ("", "the port is missing"),
            (":80", "the host is empty"),
            ("http://", "the host is empty"),
            ("999.0.0.1:80", "999.0.0.1 is no IP address"),
            ("::1:80", "an IPv6 address is written as [::1]"),
            ("u@a:80", "'@' cannot stand in a host name"),
            ("*.a:80", "'*' cannot stand in a host name"),
        ] {
            let error = text.parse::<Endpoint>().expect_err(text);
            assert_eq!(error.to_string(), expected, "{text}");
        }
    }
}
