//! Accepts TLS only for served host names, and rejects requests for a host other than the SNI of their connection.
//!
//! [`SniAcceptor`] reads the ClientHello itself and sends nothing until a policy has approved the name.
//! [`SniMatchLayer`] compares the host of each request with that name.

#[cfg(feature = "tls")]
mod accept;
#[cfg(feature = "tls")]
pub(crate) mod handshake;
#[cfg(feature = "tls")]
pub(crate) mod hello;
mod matches;

#[cfg(feature = "tls")]
pub use accept::{Rejected, SniAcceptor, SniPolicy, SniRejected};
pub use matches::{Misdirected, SniMatch, SniMatchLayer};
