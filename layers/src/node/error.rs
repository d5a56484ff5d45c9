use std::{fmt, io, time::Duration};

use tower::BoxError;

use crate::identity::{IdentityError, NodeName};

/// An error while connecting to a node.
#[derive(Debug)]
pub struct NodeError {
    pub(super) peer: NodeName,
    /// The address of the peer.
    pub(super) place: String,
    pub(super) step: Step,
}

#[derive(Debug)]
pub(super) enum Step {
    Connect(BoxError),
    Proof(IdentityError),
    Handshake(io::Error),
    Silence { window: Duration },
    Timeout,
    NoHttp2,
}

impl NodeError {
    /// Whether the peer closed the connection without sending a byte, as a node does if it accepts none of the proofs.
    pub fn is_silence(&self) -> bool {
        matches!(self.step, Step::Silence { .. })
    }

    /// Whether no connection could be opened.
    pub fn is_unconnected(&self) -> bool {
        matches!(self.step, Step::Connect(_))
    }

    /// Whether the peer did not finish the handshake in time.
    pub fn is_timeout(&self) -> bool {
        matches!(self.step, Step::Timeout)
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { peer, place, step } = self;
        write!(f, "node {peer} ({place}) ")?;
        match step {
            Step::Connect(_) => f.write_str("is unreachable"),
            Step::Proof(_) => f.write_str("cannot be sent a proof of the secret"),
            Step::Handshake(_) => f.write_str("failed the TLS handshake"),
            Step::Silence { window } => write!(
                f,
                "closed the connection without a byte: it holds another secret, its clock differs by more than {} s, \
                 or it is not a node of that name",
                window.as_secs()
            ),
            Step::Timeout => f.write_str("did not finish the TLS handshake in time"),
            Step::NoHttp2 => f.write_str("speaks TLS, but not HTTP/2 over it (ALPN)"),
        }
    }
}

impl std::error::Error for NodeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.step {
            Step::Connect(error) => Some(&**error),
            Step::Proof(error) => Some(error),
            Step::Handshake(error) => Some(error),
            Step::Silence { .. } | Step::Timeout | Step::NoHttp2 => None,
        }
    }
}
