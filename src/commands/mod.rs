//! The commands that ask a node that runs, or that change the secret in the home.

mod ask;
mod peers;
mod secret;
mod span;
mod status;

pub use self::{ask::Unreachable, peers::peers, secret::secret, status::status};
