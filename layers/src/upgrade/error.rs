/// An extended CONNECT that did not lead to a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotSwitched {
    /// `:protocol` is not a name that `Upgrade` could carry.
    #[error(":protocol is not a valid protocol name")]
    Protocol,
    /// A protocol that would hide what follows from a proxy.
    #[error("the requested protocol is not passed on")]
    Unsupported,
    /// The backend answered as if this were an ordinary request.
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
    "the request has no hyper::upgrade::OnUpgrade among its extensions: TunnelLayer needs a server of hyper's, and \
     layers around it that keep the extensions"
)]
pub struct MissingUpgrade;
