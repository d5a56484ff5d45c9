//! Adds information about the client connection to each request.
//!
//! [`ConnInfo`] is an extension of each request. It knows the client's address, the scheme, and the name in the TLS
//! handshake. Its [`Control`] can open the gate of the connection, drain the connection, or end it in silence.

mod control;
mod in_flight;
mod info;
mod layer;
mod orders;
mod own_timeout;
mod received;
mod ties;
mod traffic;

pub use control::{Control, WeakControl};
pub(crate) use in_flight::{InFlight, OpenTunnel, Upload};
pub(crate) use info::TiedTo;
pub use info::{ConnInfo, Scheme};
pub use layer::{ConnInfoLayer, WithConnInfo};
pub(crate) use own_timeout::OwnTimeout;
pub(crate) use received::Received;
pub(crate) use ties::Ties;
pub(crate) use traffic::{Phase, Traffic};
