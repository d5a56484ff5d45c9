use std::io;

use super::seen::Refused;
use crate::sni::handshake::HandshakeError;

/// Why a connection was rejected.
///
/// Until the proof is accepted, nothing is written to the connection. So the peer can have received bytes only with
/// [`Handshake`](Self::Handshake), with [`NoName`](Self::NoName), or if the [`Deadline`](Self::Deadline) passed during
/// the handshake.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeRejected {
    /// The connection broke or ended before the ClientHello did.
    #[error("the connection ended before the ClientHello was complete")]
    Io(#[source] io::Error),
    /// The first bytes are not a ClientHello.
    #[error("the first bytes are not a ClientHello")]
    NoClientHello(#[source] rustls::Error),
    /// The first protocol (ALPN) in the ClientHello does not have the format of a proof.
    #[error("the ClientHello has no proof")]
    NoProof,
    /// The proof was made with another secret or for another node, or it is forged.
    #[error("the proof was made with another secret or for another node")]
    WrongProof,
    /// The proof is valid, except for its time. The peer holds the secret and its clock is wrong, unless this system's
    /// clock is wrong, or the connection was delayed.
    #[error("the proof is valid, but the peer's clock is {ahead_by} s ahead of ours; synchronise both clocks with NTP")]
    Clock {
        /// How many seconds the peer's clock is ahead of this one. Negative if it is behind.
        ahead_by: i64,
    },
    /// The proof was used before.
    #[error("the proof was used before")]
    Replayed,
    /// More proofs arrived within the window than can be remembered.
    #[error("too many connections to remember all their proofs")]
    TooMany,
    /// The peer took too long.
    #[error("the handshake took too long")]
    Deadline,
    /// The handshake failed after the proof was accepted, for example because the peer's certificate is missing or not
    /// trusted.
    #[error("the handshake failed")]
    Handshake(#[source] io::Error),
    /// The certificate of the peer is trusted, but names no node, or several.
    #[error("the peer's certificate does not name exactly one node")]
    NoName,
}

impl NodeRejected {
    /// Returns the reason as a short, fixed word, for counters.
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
