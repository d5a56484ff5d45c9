//! Commands that query or control a running node, check its configuration, change the secret in the home, or hash a
//! password.

mod ask;
mod check;
mod explain;
mod hash_password;
mod peers;
mod reload;
mod routes;
mod secret;
mod services;
mod span;
mod status;
mod upstreams;

pub use self::{
    ask::{Unreachable, failure_as_json},
    check::{check, failed_check},
    explain::{explain_from_settings, explain_live},
    hash_password::hash_password,
    peers::peers,
    reload::reload,
    routes::routes,
    secret::secret,
    services::{act_on_service, service_logs, services},
    status::status,
    upstreams::upstreams,
};
