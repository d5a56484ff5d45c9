use super::InvalidHost;

/// A request that named no served host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostRejected {
    /// Neither a `Host` nor an authority in the target.
    #[error("the request names no host")]
    NoHost,
    /// More than one `Host` field.
    #[error("the request names several hosts")]
    SeveralHosts,
    /// A `Host` that names another host than `:authority`.
    #[error("Host and :authority name different hosts")]
    HostDiffers,
    /// Text that is no host.
    #[error("the request names an impossible host")]
    Invalid(#[from] InvalidHost),
    /// A name that nobody serves here.
    #[error("the request names a host that is not served")]
    NotServed,
}

impl HostRejected {
    /// Whether the request names no valid host, or more than one.
    ///
    /// It gets 400 (RFC 9112, 3.2) if its connection may be answered.
    pub fn is_malformed(&self) -> bool {
        !matches!(self, Self::NotServed)
    }

    /// A short, fixed word for counters.
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
