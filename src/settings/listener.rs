//! Listeners, their ports, and overlapping addresses.

use std::{fmt, net::IpAddr, sync::Arc};

use figment::value::Value;

use crate::config::{Parse, Reason};

/// A listener: one of the ports that the program accepts connections on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Listener {
    /// `http`, for clients without TLS.
    Http,
    /// `https`, for clients with TLS.
    Https,
    /// One of `[listeners]`, for clients with or without TLS.
    Named {
        /// Its name, which no other listener has.
        name: Arc<str>,
        /// Whether its clients use TLS.
        tls: bool,
    },
    /// `internal`, for other nodes.
    Internal,
}

/// The protocol of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerKind {
    /// HTTP without TLS, for clients.
    Plain,
    /// HTTP over TLS, for clients.
    Tls,
    /// HTTP over mutual TLS, for other nodes.
    Nodes,
}

impl Listener {
    /// The listeners of a route that does not name any.
    pub const DEFAULT: [Self; 2] = [Self::Http, Self::Https];

    /// Its name in logs and reports: `http`, `https`, `internal`, or the NAME in `[listeners.NAME]`.
    pub fn name(&self) -> &str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Named { name, .. } => name,
            Self::Internal => "internal",
        }
    }

    /// Its protocol.
    pub fn kind(&self) -> ListenerKind {
        match self {
            Self::Http | Self::Named { tls: false, .. } => ListenerKind::Plain,
            Self::Https | Self::Named { tls: true, .. } => ListenerKind::Tls,
            Self::Internal => ListenerKind::Nodes,
        }
    }
}

/// The port of a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Port {
    /// The listener is off.
    Off,
    /// This port. For 0, the kernel picks one.
    Number(u16),
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Number(port) => port.fmt(f),
        }
    }
}

impl Parse for Port {
    const EXPECTED: &'static str = "a port (0 to 65535, where 0 lets the kernel pick) or \"off\"";

    fn parse(value: &Value) -> Result<Self, Reason> {
        match value.as_str() {
            Some(text) if text.eq_ignore_ascii_case("off") => Ok(Self::Off),
            Some(text) => Err(port_of(text)),
            None if value.to_bool() == Some(false) => Err(Some("write \"off\"".into())),
            None if value.as_dict().is_some_and(|table| table.contains_key("routers")) => {
                Err(Some("a route begins with a [[routes]] line".into()))
            }
            None => value.to_u128().and_then(|port| port.try_into().ok()).map(Self::Number).ok_or(None),
        }
    }
}

/// Advice for users of other programs, in which a port is set together with its address.
fn port_of(text: &str) -> Reason {
    let (address, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    Some(match address {
        "" | "*" => format!("write {port}"),
        _ => format!(
            "the address is a separate setting: write {port} here, and bind = \"{}\"",
            address.trim_matches(['[', ']'])
        ),
    })
}

/// Returns why one of two addresses is redundant, if the other one covers it. Without this check, binding the second one
/// would fail with "address in use", although only this program uses it.
pub(super) fn overlap(one: IpAddr, other: IpAddr) -> Option<String> {
    let (one, other) = (one.to_canonical(), other.to_canonical());
    let (all, rest) =
        if one.is_unspecified() && !(other.is_unspecified() && other.is_ipv6()) { (one, other) } else { (other, one) };
    if all == rest {
        Some(format!("{all} is named twice"))
    } else if all.is_unspecified() && all.is_ipv6() {
        Some(format!(":: listens on every address, IPv4 included: leave out {rest}"))
    } else if all.is_unspecified() && rest.is_ipv4() {
        Some(format!("{all} listens on every IPv4 address: leave out {rest}"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_covers_another_is_reported() {
        let both = "listens on every address, IPv4 included: leave out";
        for (one, other, expected) in [
            ("127.0.0.1", "::1", None),
            ("0.0.0.0", "::1", None),
            ("10.0.0.1", "10.0.0.2", None),
            ("::1", "::1", Some("::1 is named twice".to_owned())),
            ("::", "::", Some(":: is named twice".to_owned())),
            ("::ffff:10.0.0.1", "10.0.0.1", Some("10.0.0.1 is named twice".to_owned())),
            ("::", "0.0.0.0", Some(format!(":: {both} 0.0.0.0"))),
            ("::", "10.0.0.1", Some(format!(":: {both} 10.0.0.1"))),
            ("::", "::1", Some(format!(":: {both} ::1"))),
            ("0.0.0.0", "10.0.0.1", Some("0.0.0.0 listens on every IPv4 address: leave out 10.0.0.1".to_owned())),
        ] {
            let (one, other) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!([overlap(one, other), overlap(other, one)], [expected.clone(), expected], "{one} {other}");
        }
    }
}
