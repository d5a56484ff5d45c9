//! Parses the values that say where the requests of a route go, and how.

use std::net::IpAddr;

use figment::value::Value;
use http::HeaderValue;
use pmesh_layers::host::{HostName, InvalidHost};
use rustls::pki_types::ServerName;

use super::endpoint::{Endpoint, HostPort};
use crate::config::{Parse, Reason, because, text, with_references};

impl Parse for Endpoint {
    const EXPECTED: &'static str = "an upstream such as 127.0.0.1:9001, https://name or unix:/run/app.sock";

    fn parse(value: &Value) -> Result<Self, Reason> {
        if let Some(port) = value.to_u128().filter(|port| *port <= u128::from(u16::MAX)) {
            return Err(Some(format!("write \"127.0.0.1:{port}\"")));
        }
        let text = text(value)?;
        text.parse().map_err(|error| instead(text).or_else(|| because(error)))
    }
}

/// Advice on what to write instead of an invalid upstream.
fn instead(text: &str) -> Option<String> {
    // With an `@`, the text may contain a password, which must not be repeated.
    if let Some(instead) = with_references(text).filter(|_| !text.contains('@')) {
        return Some(format!("environment variables are written ${{NAME}}: write {instead}"));
    }
    let upstreams: Vec<_> = text.split([',', ' ']).filter(|upstream| !upstream.is_empty()).collect();
    let are_valid = upstreams.iter().all(|upstream| upstream.parse::<Endpoint>().is_ok());
    (upstreams.len() > 1 && are_valid).then(|| format!("for several upstreams, write {upstreams:?}"))
}

impl Parse for HostPort {
    const EXPECTED: &'static str = "an address with its port, such as 10.0.0.2:8443";

    fn parse(value: &Value) -> Result<Self, Reason> {
        text(value)?.parse().map_err(because)
    }
}

/// The value of a `Host` header.
impl Parse for HeaderValue {
    const EXPECTED: &'static str = "a host, with or without a port";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        HostName::from_authority(text.as_bytes()).map_err(because)?;
        Self::from_str(text).map_err(because)
    }
}

/// The name or address that the certificates of upstreams must be valid for.
pub(super) struct UpstreamName(pub(super) ServerName<'static>);

impl Parse for UpstreamName {
    const EXPECTED: &'static str = "a name or an IP address, without a port";

    fn parse(value: &Value) -> Result<Self, Reason> {
        let text = text(value)?;
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(ServerName::IpAddress(address.into())));
        }
        let name: HostName = text.parse().map_err(|error: InvalidHost| because(error))?;
        ServerName::try_from(name.as_str().to_owned()).map(Self).map_err(|_| None)
    }
}
