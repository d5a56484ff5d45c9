use http::{HeaderMap, HeaderName, HeaderValue, header::FORWARDED};

use super::{ProxyHeaders, TrustedProxies, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, element, node::Node};
use crate::host::HostName;

/// What trusted proxies tell of a request, as far as it is well formed.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Who has sent it on, the first one first.
    pub(super) chain: Vec<Node>,
    /// The last of them that is no trusted proxy; the first one where all are. What stands before it is its own word.
    pub(super) client: Option<Node>,
    /// What this one has asked for.
    pub(super) proto: Option<String>,
    pub(super) host: Option<HeaderValue>,
}

impl Told {
    pub(super) fn read(headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        match trusted.told_in() {
            ProxyHeaders::XForwarded => Self::in_x_forwarded(headers, trusted),
            ProxyHeaders::Forwarded => Self::in_forwarded(headers, trusted),
        }
    }

    fn in_x_forwarded(headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        let chain: Vec<_> = list(headers, &X_FORWARDED_FOR).map(Node::parse).collect();
        let client = client(&chain, trusted);
        // Where each proxy has added to it, it is told of each. Else the nearest one knows.
        let of_client = |name| {
            let told: Vec<_> = list(headers, name).collect();
            if told.len() == chain.len() { told.get(client).copied() } else { told.last().copied() }
        };
        Self {
            proto: of_client(&X_FORWARDED_PROTO).and_then(proto),
            host: of_client(&X_FORWARDED_HOST).and_then(host),
            client: chain.get(client).cloned().flatten(),
            chain: chain.into_iter().flatten().collect(),
        }
    }

    fn in_forwarded(headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        let lines = headers.get_all(FORWARDED).iter().filter_map(|line| line.to_str().ok());
        // A quote that is open at the end of a line may have taken in what others have said.
        let elements: Vec<_> = lines.filter_map(element::parse).flatten().collect();
        let chain: Vec<_> = elements.iter().map(|element| Node::parse(element.node.as_deref()?)).collect();
        let client = client(&chain, trusted);
        let mut since = elements.iter().skip(client);
        let mut later = since.clone();
        Self {
            proto: since.find_map(|element| proto(element.proto.as_deref()?)),
            host: later.find_map(|element| host(element.host.as_deref()?)),
            client: chain.get(client).cloned().flatten(),
            chain: chain.into_iter().flatten().collect(),
        }
    }
}

/// The place of the client in a chain.
fn client(chain: &[Option<Node>], trusted: &TrustedProxies) -> usize {
    let is_trusted = |node: &Option<Node>| matches!(node, Some(Node::Address(ip)) if trusted.contains(*ip));
    chain.iter().rposition(|node| !is_trusted(node)).unwrap_or(0)
}

/// The elements of a field of one line or several.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim_ascii).filter(|element| !element.is_empty())
}

/// A scheme (RFC 3986, 3.1).
fn proto(text: &str) -> Option<String> {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let valid = text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(letter);
    valid.then(|| text.to_ascii_lowercase())
}

fn host(text: &str) -> Option<HeaderValue> {
    HostName::from_authority(text.as_bytes()).ok()?;
    // A colon that no port follows is none (RFC 3986, 6.2.3).
    HeaderValue::from_str(text.strip_suffix(':').unwrap_or(text)).ok()
}
