use super::InvalidHost;

/// A request that did not name a served host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostRejected {
    /// Neither a `Host` header nor an authority in the target.
    #[error("the request names no host")]
    NoHost,
    /// More than one `Host` header.
    #[error("the request names several hosts")]
    SeveralHosts,
    /// A `Host` header and an `:authority` that name different hosts.
    #[error("Host and :authority name different hosts")]
    HostDiffers,
    /// A host that is not valid.
    #[error("the request names an invalid host")]
    Invalid(#[from] InvalidHost),
    /// A host that is not served here.
    #[error("the request names a host that is not served")]
    NotServed,
}

impl HostRejected {
    /// Whether the request names no valid host, or more than one.
    ///
    /// [`HttpServer`](crate::serve::HttpServer) responds to such a request with 400 (RFC 9112, 3.2) if its connection has
    /// already named a served host.
    pub fn is_malformed(&self) -> bool {
        !matches!(self, Self::NotServed)
    }

    /// Returns the reason as a short, fixed word, for counters.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoHost => "no_host",
            Self::SeveralHosts => "several_hosts",
            Self::HostDiffers => "host_differs",
            Self::Invalid(_) => "invalid_host",
            Self::NotServed => "host_not_served",
        }
    }
}
