use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;

/// The networks of trusted proxies, and the headers in which they describe the client. Clones are cheap.
#[derive(Debug, Clone)]
pub struct TrustedProxies {
    networks: Arc<[IpNet]>,
    headers: ProxyHeaders,
}

impl TrustedProxies {
    /// Trusts the `X-Forwarded-*` headers of proxies in `networks`.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self { networks: networks.into_iter().collect(), headers: ProxyHeaders::default() }
    }

    /// Trusts no proxy.
    pub fn none() -> Self {
        Self::new([])
    }

    /// Trusts these headers instead of `X-Forwarded-*`.
    #[must_use]
    pub fn headers(self, headers: ProxyHeaders) -> Self {
        Self { headers, ..self }
    }

    /// Whether `address` is in one of the networks.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    pub(super) fn proxy_headers(&self) -> ProxyHeaders {
        self.headers
    }
}

/// The headers that trusted proxies set.
///
/// Choose the kind that your proxies set. They pass on the other kind as their clients sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ProxyHeaders {
    /// `X-Forwarded-*` and `X-Real-IP`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}
