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

/// Advice for a URL that was written instead of a host. `ends` are the characters at which the host ends.
fn without_scheme(text: &str, ends: &[char]) -> Option<String> {
    let (_, rest) = text.split_once("://")?;
    let is_host = |host: &&str| !rest.contains('@') && HostName::from_authority(host.as_bytes()).is_ok();
    let host = rest.split(ends).next().filter(is_host);
    Some(host.map_or_else(|| "leave out the scheme".to_owned(), |host| format!("leave out the scheme: write {host:?}")))
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
        HostName::from_authority(text.as_bytes())
            .map_err(|error| without_scheme(text, &['/', '?', '#']).or_else(|| because(error)))?;
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
        let name: HostName = text
            .parse()
            .map_err(|error: InvalidHost| without_scheme(text, &['/', '?', '#', ':']).or_else(|| because(error)))?;
        ServerName::try_from(name.as_str().to_owned()).map(Self).map_err(|_| None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_with_a_scheme_get_advice() {
        let reason = |error: Option<Reason>| error.flatten().unwrap_or_default();
        for (text, header, name) in [
            ("http://b", "leave out the scheme: write \"b\"", "leave out the scheme: write \"b\""),
            ("https://b:8443/x", "leave out the scheme: write \"b:8443\"", "leave out the scheme: write \"b\""),
            ("http://u:p@b", "leave out the scheme", "leave out the scheme"),
            ("http://", "leave out the scheme", "leave out the scheme"),
            ("b:0", "the port is not a number from 1 to 65535", "write the host without a port"),
        ] {
            assert_eq!(reason(HeaderValue::parse(&text.into()).err()), header, "{text}");
            assert_eq!(reason(UpstreamName::parse(&text.into()).err()), name, "{text}");
        }
        assert!(HeaderValue::parse(&"b:8443".into()).is_ok() && UpstreamName::parse(&"b".into()).is_ok());
    }
}
