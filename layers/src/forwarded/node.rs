use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// A client or proxy in the chain of a request, as written in `X-Forwarded-For` or after `for=` (RFC 7239, 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Address(IpAddr),
    /// `unknown`, or an identifier that begins with `_` and hides the address.
    Hidden(Box<str>),
}

impl Node {
    /// Parses an address or a hidden name, without a port if there is one. Returns `None` for anything else.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            return Some(Self::Address(IpAddr::from(address).to_canonical()));
        }
        if let Some((address, port)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
            let address = address.parse::<Ipv6Addr>().ok()?;
            let valid = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
            return valid.then(|| Self::Address(IpAddr::from(address).to_canonical()));
        }
        let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
        if !port.is_none_or(is_port) {
            return None;
        }
        if let Ok(address) = name.parse::<Ipv4Addr>() {
            return Some(Self::Address(address.into()));
        }
        (name.eq_ignore_ascii_case("unknown") || is_obfuscated(name)).then(|| Self::Hidden(name.into()))
    }

    pub(super) fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Address(ip) => Some(*ip),
            Self::Hidden(_) => None,
        }
    }

    pub(super) fn is_ipv6(&self) -> bool {
        matches!(self, Self::Address(IpAddr::V6(_)))
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Hidden(name) => f.write_str(name),
        }
    }
}

fn is_port(text: &str) -> bool {
    let digits = (1..=5).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits || is_obfuscated(text)
}

/// See RFC 7239, 6.3.
fn is_obfuscated(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    text.strip_prefix('_').is_some_and(|name| !name.is_empty() && name.bytes().all(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_hidden_names_are_parsed() {
        for (text, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("192.0.2.1:80", Some("192.0.2.1")),
            ("192.0.2.1:_port", Some("192.0.2.1")),
            ("2001:DB8::1", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("::ffff:192.0.2.1", Some("192.0.2.1")),
            ("unknown", Some("unknown")),
            ("_hidden-1", Some("_hidden-1")),
            ("_hidden:_x", Some("_hidden")),
            ("_", None),
            ("_a b", None),
            ("", None),
            ("192.0.2", None),
            ("192.0.2.1:", None),
            ("192.0.2.1:x", None),
            ("[192.0.2.1]", None),
            ("[2001:db8::1", None),
            ("[2001:db8::1]x", None),
            ("fe80::1%eth0", None),
            ("a.test", None),
            ("evil\"", None),
        ] {
            assert_eq!(Node::parse(text).map(|node| node.to_string()).as_deref(), expected, "{text}");
        }
    }
}
