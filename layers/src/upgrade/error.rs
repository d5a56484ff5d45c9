/// An extended CONNECT that did not open a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSwitched {
    /// `:protocol` is not a name that fits into `Upgrade`.
    #[error(":protocol is not a valid protocol name")]
    Protocol,
    /// The protocol would hide later requests from a proxy, as h2c and TLS do.
    #[error("the requested protocol is not passed on")]
    Unsupported,
    /// The backend responded as if this were an ordinary request.
    #[error("the backend did not switch to the requested protocol")]
    Ignored,
    /// The backend switched, but not to WebSocket: its `Sec-WebSocket-Accept` does not match the key.
    #[error("the backend's Sec-WebSocket-Accept does not match the key")]
    Proof,
}

/// A backend switched to a protocol that the client did not request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the backend switched to a protocol that was not requested")]
pub struct UnexpectedUpgrade;

/// A backend switched, but the client's connection cannot become a tunnel: the request's extensions have no
/// [`OnUpgrade`](hyper::upgrade::OnUpgrade).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the request has no hyper::upgrade::OnUpgrade among its extensions: TunnelLayer needs a hyper server, and \
     layers around it that keep the extensions"
)]
pub struct MissingUpgrade;
