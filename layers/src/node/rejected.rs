use std::io;

use super::seen::Refused;
use crate::sni::handshake::HandshakeError;

/// Why a connection was rejected. Nothing was written to it up to [`Handshake`](Self::Handshake).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeRejected {
    /// The connection broke or ended.
    #[error("the connection ended before the ClientHello did")]
    Io(#[source] io::Error),
    /// The first bytes are not a ClientHello.
    #[error("the first bytes are not a ClientHello")]
    NoClientHello(#[source] rustls::Error),
    /// There is nothing that has the form of a proof.
    #[error("the ClientHello has no proof")]
    NoProof,
    /// The proof was made with another secret, or for another node, or it was made up.
    #[error("the proof is of another secret or for another node")]
    WrongProof,
    /// The proof is right, but of another time: who made it holds the secret and has a wrong clock, unless this
    /// system's is wrong, or the connection was held up on its way.
    #[error("the proof is right, but its clock is {ahead_by} s ahead of this one's; set the clocks by NTP")]
    Clock {
        /// By how many seconds the peer's clock is ahead of this one; negative when it is behind.
        ahead_by: i64,
    },
    /// The proof was used before.
    #[error("the proof was used before")]
    Replayed,
    /// More proofs came within the window than can be remembered.
    #[error("too many connections to remember their proofs")]
    TooMany,
    /// The peer took too long.
    #[error("the handshake took too long")]
    Deadline,
    /// The handshake failed after the proof was given: there is no certificate, or it is not one that is trusted.
    #[error("the handshake failed")]
    Handshake(#[source] io::Error),
    /// The certificate of the peer is trusted, and names no node, or more than one.
    #[error("the peer's certificate does not name one node")]
    NoName,
}

impl NodeRejected {
    /// A short, fixed word for counters.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Io(_) => "client_left",
            Self::NoClientHello(_) => "no_client_hello",
            Self::NoProof => "no_proof",
            Self::WrongProof => "wrong_proof",
            Self::Clock { .. } => "clock",
            Self::Replayed => "replayed",
            Self::TooMany => "too_many_proofs",
            Self::Deadline => "deadline",
            Self::Handshake(_) => "handshake_failed",
            Self::NoName => "no_node_name",
        }
    }
}

impl From<HandshakeError> for NodeRejected {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Io(error) => Self::Io(error),
            HandshakeError::NoClientHello(error) => Self::NoClientHello(error),
            HandshakeError::Deadline => Self::Deadline,
            HandshakeError::Failed(error) => Self::Handshake(error),
        }
    }
}

impl From<Refused> for NodeRejected {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Known => Self::Replayed,
            Refused::Full => Self::TooMany,
        }
    }
}
