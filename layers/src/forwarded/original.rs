use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue, header::FORWARDED};

use super::{
    ProxyHeaders, TrustedProxies, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO, element,
    node::Node, port,
};
use crate::host::HostName;

/// The description of a request by trusted proxies, without malformed parts. [`DistrustLayer`](super::DistrustLayer) adds
/// it to the extensions of the request, for [`ForwardedLayer`](super::ForwardedLayer).
#[derive(Debug, Clone, Default)]
pub(super) struct Original {
    /// The client and the proxies that the request passed through, in order.
    pub(super) chain: Vec<Node>,
    /// The address of the client, if known. It is the last node that is not a trusted proxy, or the first one if all are.
    /// Anything before it in the chain is the client's own claim.
    pub(super) client: Option<IpAddr>,
    /// The scheme that the client used.
    pub(super) proto: Option<String>,
    /// The host that the client requested.
    pub(super) host: Option<HeaderValue>,
    /// The port that the client connected to. `Forwarded` does not have it.
    pub(super) port: Option<u16>,
}

impl Original {
    pub(super) fn read(headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        match trusted.proxy_headers() {
            ProxyHeaders::XForwarded => Self::in_x_forwarded(headers, trusted),
            ProxyHeaders::Forwarded => Self::in_forwarded(headers, trusted),
        }
    }

    fn in_x_forwarded(headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        let chain: Vec<_> = list(headers, &X_FORWARDED_FOR).map(Node::parse).collect();
        let (client, ip) = in_chain(&chain, trusted);
        // If each proxy appended a value, take the one for the client. Otherwise take the last proxy's.
        let of_client = |name| {
            let values: Vec<_> = list(headers, name).collect();
            if values.len() == chain.len() { values.get(client).copied() } else { values.last().copied() }
        };
        Self {
            proto: of_client(&X_FORWARDED_PROTO).and_then(proto),
            host: of_client(&X_FORWARDED_HOST).and_then(host),
            port: of_client(&X_FORWARDED_PORT).and_then(|text| port::parse(text.as_bytes())),
            client: ip,
            chain: chain.into_iter().flatten().collect(),
        }
    }

    fn in_forwarded(headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        let elements = element::parse(headers.get_all(FORWARDED).iter().map(HeaderValue::as_bytes));
        let chain: Vec<_> = elements.iter().map(|element| Node::parse(element.node.as_deref()?)).collect();
        let (client, ip) = in_chain(&chain, trusted);
        let mut since = elements.iter().skip(client);
        let mut later = since.clone();
        Self {
            proto: since.find_map(|element| proto(element.proto.as_deref()?)),
            host: later.find_map(|element| host(element.host.as_deref()?)),
            port: None,
            client: ip,
            chain: chain.into_iter().flatten().collect(),
        }
    }
}

/// Returns the client that another node names in `X-Forwarded-For`.
pub(super) fn client_of_node(headers: &HeaderMap, trusted: &TrustedProxies) -> Option<IpAddr> {
    let from_end = list(headers, &X_FORWARDED_FOR).rev().map(|text| Node::parse(text)?.ip());
    client(from_end, trusted)?.1
}

/// Returns the index of the client in a chain, and its address.
fn in_chain(chain: &[Option<Node>], trusted: &TrustedProxies) -> (usize, Option<IpAddr>) {
    let from_end = chain.iter().rev().map(|node| node.as_ref()?.ip());
    client(from_end, trusted).map_or((0, None), |(behind, ip)| (chain.len() - 1 - behind, ip))
}

/// Returns how many addresses in a chain follow the client, and its address.
fn client(from_end: impl Iterator<Item = Option<IpAddr>>, trusted: &TrustedProxies) -> Option<(usize, Option<IpAddr>)> {
    let mut client = None;
    for found in from_end.enumerate() {
        client = Some(found);
        if !found.1.is_some_and(|ip| trusted.contains(ip)) {
            break;
        }
    }
    client
}

/// Returns the elements of a list header, on one or several lines. An element that is not UTF-8 is replaced by `\u{fffd}`,
/// so that it keeps its place.
pub(super) fn list<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl DoubleEndedIterator<Item = &'a str> + use<'a> {
    let lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let elements = lines.flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    elements.filter(|element| !element.is_empty()).map(|element| std::str::from_utf8(element).unwrap_or("\u{fffd}"))
}

/// A scheme (RFC 3986, 3.1).
fn proto(text: &str) -> Option<String> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let valid = text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(letter);
    valid.then(|| text.to_ascii_lowercase())
}

fn host(text: &str) -> Option<HeaderValue> {
    HostName::from_authority(text.as_bytes()).ok()?;
    // A colon without a port is dropped (RFC 3986, 6.2.3).
    HeaderValue::from_str(text.strip_suffix(':').unwrap_or(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_cannot_hide_the_elements_that_its_proxy_appends_to_forwarded() {
        let trusted = TrustedProxies::new(["10.0.0.0/8".parse().unwrap()]).headers(ProxyHeaders::Forwarded);
        for claim in ["for=\"", "for=10.1.1.1, for=\"", "for=\"\\", "x=\", for=10.1.1.1;host=", "for=\u{ff}", "\"\",\""]
        {
            for proxy in
                ["for=\"192.0.2.8:1\";host=\"a.test:1\";proto=https", "proto=https;host=\"a.test:1\";for=192.0.2.8"]
            {
                let mut headers = HeaderMap::new();
                headers.insert(FORWARDED, HeaderValue::try_from(format!("{claim}, {proxy}, for=10.0.0.2")).unwrap());
                let original = Original::read(&headers, &trusted);
                assert_eq!(original.client.unwrap().to_string(), "192.0.2.8", "{claim}");
                assert_eq!(original.host.unwrap(), "a.test:1", "{claim}");
                assert_eq!(original.proto.unwrap(), "https", "{claim}");
                let chain: Vec<_> = original.chain.iter().map(ToString::to_string).collect();
                assert_eq!(chain, ["192.0.2.8", "10.0.0.2"], "{claim}");
            }
        }
    }

    #[test]
    fn a_client_cannot_hide_the_elements_that_its_proxy_appends_to_x_forwarded() {
        let trusted = TrustedProxies::new(["10.0.0.0/8".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (X_FORWARDED_FOR, &b"10.1.1.1, \xff, 192.0.2.8, 10.0.0.2"[..]),
            (X_FORWARDED_HOST, b"evil.test, \xff, a.test, b.test"),
        ] {
            headers.insert(name, HeaderValue::from_bytes(value).unwrap());
        }
        let original = Original::read(&headers, &trusted);
        assert_eq!(original.client.unwrap().to_string(), "192.0.2.8");
        assert_eq!(original.host.unwrap(), "a.test");
        assert_eq!(
            original.chain.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["10.1.1.1", "192.0.2.8", "10.0.0.2"]
        );
    }
}
