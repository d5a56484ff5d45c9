use std::{borrow::Borrow, fmt, net::Ipv6Addr, str::FromStr, sync::Arc};

/// The longest name that DNS can carry, in bytes and without the trailing dot (RFC 1035, 2.3.4).
const MAX_NAME: usize = 253;
/// The longest label (RFC 1035, 2.3.4).
const MAX_LABEL: usize = 63;

/// A host name in canonical form: lower case, no trailing dot, no port.
///
/// Names that are equal stand for the same host. IP addresses are kept as `192.0.2.1` and `[2001:db8::1]`, and are
/// served only if they are configured as hosts.
///
/// Cloning only increments a reference count.
///
/// ```
/// use pmesh_layers::host::HostName;
///
/// let host = HostName::from_authority(b"WWW.Example.com.:8080")?;
/// assert_eq!(host, "www.example.com".parse()?);
/// assert!(HostName::from_authority(b"a,b").is_err());
/// # Ok::<(), pmesh_layers::host::InvalidHost>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(Arc<str>);

impl HostName {
    /// Parses a host as written in a `Host` header or in the authority of a target.
    ///
    /// The host is a name or an IP address. A port is dropped; it must be 1 to 65535, or empty (RFC 3986, 3.2.3).
    ///
    /// # Errors
    ///
    /// Returns [`InvalidHost`] for anything else: an empty name or label, userinfo, a comma, whitespace, a byte that is
    /// not allowed in host names, a name over 253 or a label over 63 bytes, or an invalid port.
    pub fn from_authority(authority: &[u8]) -> Result<Self, InvalidHost> {
        let mut scratch = Scratch::new();
        scratch.canonical(authority).map(|name| Self(name.into()))
    }

    /// Wraps text that a [`Scratch`] has put into canonical form.
    pub(crate) fn from_canonical(name: &str) -> Self {
        Self(name.into())
    }

    /// Returns the canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is an IP address.
    pub fn is_ip(&self) -> bool {
        self.0.starts_with('[') || is_ipv4_shaped(self.0.as_bytes())
    }
}

impl FromStr for HostName {
    type Err = InvalidHost;

    /// Parses a bare host, without a port, as in a configuration or an SNI.
    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let (host, port) = split_port(text.as_bytes())?;
        if port.is_some() {
            return Err(InvalidHost(Fault::UnexpectedPort));
        }
        Self::from_authority(host).map_err(|error| match (error, text.chars().find(|char| !char.is_ascii())) {
            (InvalidHost(Fault::Byte(0x80..)), Some(letter)) => InvalidHost(Fault::Letter(letter)),
            (error, _) => error,
        })
    }
}

impl Borrow<str> for HostName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Maps each byte of a name to lower case, and bytes that are not allowed in names to 0.
const CANONICAL: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            table[byte as usize] = byte.to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

/// Space to put a host into canonical form without an allocation.
pub(crate) struct Scratch([u8; MAX_NAME]);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self([0; MAX_NAME])
    }

    /// The canonical form of `authority`: see [`HostName::from_authority`].
    pub(crate) fn canonical<'a>(&'a mut self, authority: &[u8]) -> Result<&'a str, InvalidHost> {
        let (host, port) = split_port(authority)?;
        if let Some(port) = port {
            check_port(port)?;
        }
        if host.first() == Some(&b'[') {
            return self.canonical_ipv6(host);
        }
        let name = host.strip_suffix(b".").unwrap_or(host);
        if name.is_empty() {
            return Err(InvalidHost(Fault::Empty));
        }
        let Some(canonical) = self.0.get_mut(..name.len()) else {
            return Err(InvalidHost(Fault::TooLong));
        };
        let mut label = 0;
        for (to, from) in canonical.iter_mut().zip(name) {
            *to = CANONICAL[usize::from(*from)];
            match *to {
                0 => return Err(InvalidHost(Fault::Byte(*from))),
                b'.' if label == 0 => return Err(InvalidHost(Fault::EmptyLabel)),
                b'.' => label = 0,
                _ if label == MAX_LABEL => return Err(InvalidHost(Fault::TooLong)),
                _ => label += 1,
            }
        }
        if label == 0 {
            return Err(InvalidHost(Fault::EmptyLabel));
        }
        std::str::from_utf8(canonical).map_err(|_| InvalidHost(Fault::Byte(0xff)))
    }

    fn canonical_ipv6(&mut self, host: &[u8]) -> Result<&str, InvalidHost> {
        use std::io::Write;
        let address: Ipv6Addr = host
            .strip_prefix(b"[")
            .and_then(|rest| rest.strip_suffix(b"]"))
            .and_then(|inner| std::str::from_utf8(inner).ok()?.parse().ok())
            .ok_or(InvalidHost(Fault::Ipv6))?;
        let mut rest = &mut self.0[..];
        // Cannot fail: the longest address has 45 bytes.
        let _ = write!(rest, "[{address}]");
        let length = MAX_NAME - rest.len();
        std::str::from_utf8(&self.0[..length]).map_err(|_| InvalidHost(Fault::Ipv6))
    }
}

/// Splits `host:port`; an IPv6 address keeps its brackets.
fn split_port(authority: &[u8]) -> Result<(&[u8], Option<&[u8]>), InvalidHost> {
    let after_address = match authority.first() {
        Some(b'[') => authority.iter().position(|b| *b == b']').ok_or(InvalidHost(Fault::Ipv6))? + 1,
        _ => authority.iter().position(|b| *b == b':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(after_address);
    match rest {
        [] => Ok((host, None)),
        [b':', port @ ..] => Ok((host, Some(port))),
        [other, ..] => Err(InvalidHost(Fault::Byte(*other))),
    }
}

fn check_port(port: &[u8]) -> Result<(), InvalidHost> {
    let value = port.iter().try_fold(0u32, |value, digit| match digit {
        b'0'..=b'9' => Some(value * 10 + u32::from(digit - b'0')).filter(|value| *value <= 65535),
        _ => None,
    });
    match value {
        Some(1..) => Ok(()),
        Some(0) if port.is_empty() => Ok(()),
        _ => Err(InvalidHost(Fault::Port)),
    }
}

/// Whether the last label is a number, as in every IPv4 address and in no name (RFC 3696, 2).
pub(crate) fn is_ipv4_shaped(name: &[u8]) -> bool {
    name.rsplit(|b| *b == b'.').next().is_some_and(|last| !last.is_empty() && last.iter().all(u8::is_ascii_digit))
}

/// Text that is not a host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidHost(pub(crate) Fault);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Empty,
    EmptyLabel,
    TooLong,
    Byte(u8),
    Letter(char),
    Port,
    UnexpectedPort,
    Ipv6,
    Wildcard,
}

impl fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Fault::Empty => f.write_str("the host is empty"),
            Fault::EmptyLabel => f.write_str("a label between two dots is empty"),
            Fault::TooLong => f.write_str("the name has more than 253 bytes, or a label more than 63"),
            Fault::Byte(byte) => write!(f, "{:?} is not allowed in a host name", char::from(byte)),
            Fault::Letter(letter) => {
                write!(f, "{letter:?} is not allowed in a host name: write the name in punycode, as xn--…")
            }
            Fault::Port => f.write_str("the port is not a number from 1 to 65535"),
            Fault::UnexpectedPort => f.write_str("write the host without a port"),
            Fault::Ipv6 => f.write_str("write an IPv6 address as [2001:db8::1]"),
            Fault::Wildcard => f.write_str("write a wildcard as *.example.com: one star, then a name"),
        }
    }
}

impl std::error::Error for InvalidHost {}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(authority: &str) -> Option<String> {
        HostName::from_authority(authority.as_bytes()).ok().map(|name| name.to_string())
    }

    #[test]
    fn canonical_form_drops_case_dot_and_port() {
        for authority in [
            "example.com",
            "EXAMPLE.com",
            "example.com.",
            "Example.Com.:8080",
            "example.com:65535",
            "example.com:",
            "example.com.:",
        ] {
            assert_eq!(canonical(authority).as_deref(), Some("example.com"), "{authority}");
        }
        assert_eq!(canonical("[2001:DB8:0::1]:443").as_deref(), Some("[2001:db8::1]"));
        assert_eq!(canonical("[2001:db8::1]:").as_deref(), Some("[2001:db8::1]"));
        assert_eq!(canonical("127.0.0.1:80").as_deref(), Some("127.0.0.1"));
        assert_eq!(canonical("my_service").as_deref(), Some("my_service"));
    }

    #[test]
    fn invalid_hosts_are_rejected() {
        let long_label = format!("{}.com", "a".repeat(64));
        let long_name = format!("{}com", "abc.".repeat(64));
        for authority in [
            "",
            ".",
            "..",
            "a..b",
            ".a",
            "a..",
            "a b",
            " a",
            "a ",
            "a,b",
            "user@a",
            "a:0",
            ":",
            ":80",
            "a::",
            "[::1]::",
            "a:65536",
            "a:99999999999",
            "a:8x",
            "a:80:80",
            "a/b",
            "a\0",
            "a\t",
            "é.com",
            "[::1",
            "::1",
            "[::1]x",
            "[::g]",
            "[]",
            "a]",
            "*.a",
            "*",
            "%61",
            &long_label,
            &long_name,
        ] {
            assert_eq!(canonical(authority), None, "{authority:?}");
        }
    }

    #[test]
    fn limits_are_inclusive() {
        let label = "a".repeat(63);
        assert!(canonical(&label).is_some());
        let name = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(name.len(), 253);
        assert!(canonical(&name).is_some());
        assert!(canonical(&format!("{name}.")).is_some());
        assert!(canonical(&format!("{name}a")).is_none());
    }

    #[test]
    fn the_error_for_a_letter_beyond_ascii_suggests_punycode() {
        for text in ["bücher.test", "xn--a.ü"] {
            let error = text.parse::<HostName>().unwrap_err().to_string();
            assert!(error.starts_with("'ü' is not allowed in a host name") && error.contains("xn--"), "{error}");
        }
    }

    #[test]
    fn a_bare_host_has_no_port() {
        assert!("example.com:80".parse::<HostName>().is_err());
        assert!("example.com:".parse::<HostName>().is_err());
        assert!("[::1]".parse::<HostName>().is_ok_and(|name| name.is_ip()));
        assert!("10.0.0.1".parse::<HostName>().is_ok_and(|name| name.is_ip()));
        assert!("1.example".parse::<HostName>().is_ok_and(|name| !name.is_ip()));
    }
}
