//! What is known of a client connection, handed to every request that comes over it.

mod control;
mod info;

pub(crate) use control::InFlight;
pub use control::{Control, WeakControl};
pub use info::{ConnInfo, Scheme};
