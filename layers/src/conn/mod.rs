//! What is known of a client connection, handed to every request that comes over it.

mod control;
mod info;

pub use control::{Control, WeakControl};
pub(crate) use control::{InFlight, OpenTunnel, Phase};
pub use info::{ConnInfo, Scheme};
