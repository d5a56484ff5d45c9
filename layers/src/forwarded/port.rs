use http::HeaderValue;

const HTTP: HeaderValue = HeaderValue::from_static("80");
const HTTPS: HeaderValue = HeaderValue::from_static("443");

/// The port that a client asked for: that of the host, else that of the scheme. `None` if neither has one.
pub(super) fn asked_for(host: Option<&HeaderValue>, proto: &str) -> Option<HeaderValue> {
    let named = host.and_then(|host| of_host(host.as_bytes()));
    match (named, proto) {
        (Some("80"), _) | (None, "http" | "ws") => Some(HTTP),
        (Some("443"), _) | (None, "https" | "wss") => Some(HTTPS),
        (Some(other), _) => HeaderValue::from_str(other).ok(),
        (None, _) => None,
    }
}

/// A port as a proxy writes it.
pub(super) fn parse(text: &str) -> Option<u16> {
    // `parse` also takes a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn of_host(host: &[u8]) -> Option<&str> {
    // The colons of an IPv6 address are in brackets.
    let colon = host.iter().rposition(|byte| matches!(byte, b':' | b']')).filter(|at| host[*at] == b':')?;
    let port = std::str::from_utf8(&host[colon + 1..]).ok()?.trim_start_matches('0');
    parse(port).map(|_| port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_of_the_host_else_that_of_the_scheme() {
        for (host, proto, expected) in [
            ("a.test", "http", Some("80")),
            ("a.test", "https", Some("443")),
            ("a.test", "ws", Some("80")),
            ("a.test", "wss", Some("443")),
            ("a.test", "ftp", None),
            ("a.test:", "https", Some("443")),
            ("a.test:80", "https", Some("80")),
            ("a.test:443", "http", Some("443")),
            ("a.test:8080", "https", Some("8080")),
            ("a.test:08080", "ftp", Some("8080")),
            ("192.0.2.1", "http", Some("80")),
            ("192.0.2.1:8443", "https", Some("8443")),
            ("[2001:db8::1]", "https", Some("443")),
            ("[2001:db8::8443]:9", "https", Some("9")),
            // No host, and what a layer outside should have rejected.
            ("", "https", Some("443")),
            ("a.test:0", "https", Some("443")),
            ("a.test:65536", "https", Some("443")),
            ("a.test:+1", "https", Some("443")),
            ("a.test:1:", "https", Some("443")),
        ] {
            let host = HeaderValue::from_static(host);
            assert_eq!(asked_for(Some(&host), proto).as_ref().map(|port| port.to_str().unwrap()), expected, "{host:?}");
        }
        assert_eq!(asked_for(None, "http").unwrap(), "80");
    }
}
