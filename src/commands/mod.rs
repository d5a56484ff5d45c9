//! Commands that query or control a running node, check its configuration, or change the secret in the home.

mod ask;
mod check;
mod peers;
mod reload;
mod routes;
mod secret;
mod span;
mod status;
mod upstreams;

pub use self::{
    ask::Unreachable,
    check::{check, failed_check},
    peers::peers,
    reload::{failed_reload, reload},
    routes::routes,
    secret::secret,
    status::status,
    upstreams::upstreams,
};
