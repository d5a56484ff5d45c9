/// An extended CONNECT that leads to no tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSwitched {
    /// `:protocol` is not a name that `Upgrade` could carry.
    #[error(":protocol is not a valid protocol name")]
    Protocol,
    /// A protocol that would hide what follows from a proxy.
    #[error("the requested protocol is not passed on")]
    Unsupported,
    /// The backend has answered the request as if it were an ordinary one.
    #[error("the backend did not switch to the requested protocol")]
    Ignored,
    /// The backend has switched, but not to WebSocket: its `Sec-WebSocket-Accept` does not fit the key.
    #[error("the backend's Sec-WebSocket-Accept does not match the key")]
    Proof,
}

/// A backend switched to a protocol that the client had not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the backend switched to a protocol that was not requested")]
pub struct UnexpectedUpgrade;

/// A backend switched, but the client's connection cannot become a tunnel: the request has no
/// [`OnUpgrade`](hyper::upgrade::OnUpgrade) among its extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the request has no hyper::upgrade::OnUpgrade among its extensions: TunnelLayer needs a server of hyper's, and \
     layers around it that keep the extensions"
)]
pub struct MissingUpgrade;
