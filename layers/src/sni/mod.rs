//! Accepts TLS only for served host names, and holds the requests of a connection to the name of its handshake.
//!
//! [`SniAcceptor`] reads the ClientHello itself and sends nothing until a policy has approved the name.
//! [`SniMatchLayer`] holds every request on the connection to that name.

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
