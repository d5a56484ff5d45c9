use std::{net::IpAddr, sync::Arc};

use ipnet::IpNet;

/// The networks whose word on the original client is believed, and where it stands. Cloning counts a reference.
#[derive(Debug, Clone)]
pub struct TrustedProxies {
    networks: Arc<[IpNet]>,
    headers: ProxyHeaders,
}

impl TrustedProxies {
    /// These networks, and their `X-Forwarded-*`.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self { networks: networks.into_iter().collect(), headers: ProxyHeaders::default() }
    }

    /// Nobody.
    pub fn none() -> Self {
        Self::new([])
    }

    /// Believes these headers of theirs, in the place of `X-Forwarded-*`.
    #[must_use]
    pub fn headers(self, headers: ProxyHeaders) -> Self {
        Self { headers, ..self }
    }

    /// Whether `address` lies in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    pub(super) fn told_in(&self) -> ProxyHeaders {
        self.headers
    }
}

/// Which headers trusted proxies set. A proxy that sets the one kind passes on what its client says in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ProxyHeaders {
    /// `X-Forwarded-For` and the like, and `X-Real-IP`.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}
