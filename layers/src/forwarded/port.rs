use http::HeaderValue;

pub(super) const HTTP: HeaderValue = HeaderValue::from_static("80");
pub(super) const HTTPS: HeaderValue = HeaderValue::from_static("443");

/// Returns the default port of a scheme, if it has one.
pub(super) fn for_scheme(scheme: &str) -> Option<HeaderValue> {
    match scheme {
        "http" | "ws" => Some(HTTP),
        "https" | "wss" => Some(HTTPS),
        _ => None,
    }
}

/// Returns the port of a host, if it has one.
pub(super) fn in_host(host: &[u8]) -> Option<u16> {
    // The colons of an IPv6 address are in brackets.
    let colon = host.iter().rposition(|byte| !byte.is_ascii_digit()).filter(|at| host[*at] == b':')?;
    parse(&host[colon + 1..]).filter(|port| *port > 0)
}

/// Parses a port from a proxy or a host. `str::parse` would accept a sign, and is slower, which matters because this runs
/// for each request.
pub(super) fn parse(text: &[u8]) -> Option<u16> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u16::from(byte - b'0'));
    let port = text.iter().try_fold(0_u16, |port, byte| port.checked_mul(10)?.checked_add(digit(*byte)?));
    port.filter(|_| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_can_have_a_port() {
        for (host, expected) in [
            ("a.test", None),
            ("a.test:", None),
            ("a.test:80", Some(80)),
            ("a.test:443", Some(443)),
            ("a.test:8080", Some(8080)),
            ("a.test:08080", Some(8080)),
            ("192.0.2.1", None),
            ("192.0.2.1:65535", Some(65535)),
            ("[2001:db8::1]", None),
            ("[2001:db8::8443]:9", Some(9)),
            // An outer layer should have rejected these.
            ("", None),
            ("a.test:0", None),
            ("a.test:65536", None),
            ("a.test:+1", None),
            ("a.test:1:", None),
        ] {
            assert_eq!(in_host(host.as_bytes()), expected, "{host:?}");
        }
    }

    #[test]
    fn http_and_websocket_schemes_have_a_default_port() {
        for (scheme, expected) in
            [("http", Some("80")), ("https", Some("443")), ("ws", Some("80")), ("wss", Some("443")), ("ftp", None)]
        {
            assert_eq!(for_scheme(scheme).as_ref().map(|port| port.to_str().unwrap()), expected, "{scheme}");
        }
    }
}
