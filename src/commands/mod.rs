//! The commands that ask a node that runs, or that change the secret in the home.

mod ask;
mod peers;
mod reload;
mod routes;
mod secret;
mod span;
mod status;
mod upstreams;

pub use self::{
    ask::Unreachable, peers::peers, reload::reload, routes::routes, secret::secret, status::status,
    upstreams::upstreams,
};
