//! SNI: a TLS handshake only for clients that name a served host, and requests only for the name they gave.
//!
//! [`SniAcceptor`] reads the ClientHello by itself and says nothing until a policy has approved of its name;
//! [`SniMatchLayer`] holds every request of the connection to that name.

mod accept;
pub(crate) mod handshake;
pub(crate) mod hello;
mod matches;

pub use accept::{Rejected, SniAcceptor, SniPolicy, SniRejected};
pub use matches::{Misdirected, SniMatch, SniMatchLayer};
