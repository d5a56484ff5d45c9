//! What is known of a client connection, handed to every request that comes over it.

mod control;
mod in_flight;
mod info;

pub(crate) use control::Phase;
pub use control::{Control, WeakControl};
pub(crate) use in_flight::{InFlight, OpenTunnel, Upload};
pub use info::{ConnInfo, Scheme};
