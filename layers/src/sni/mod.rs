//! SNI: a TLS handshake only for clients that name a served host, and requests only for the name they gave.
//!
//! [`SniAcceptor`] reads the ClientHello by itself and says nothing until a policy has approved of its name;
//! [`SniMatchLayer`] holds every request of the connection to that name.

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
