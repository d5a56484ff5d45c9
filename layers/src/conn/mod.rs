//! Tells each request about the client connection that it arrived on.

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
