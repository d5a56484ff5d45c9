//! The admin API, through which operators query and control a running node.
//!
//! It is JSON over HTTP, on a Unix socket in the home folder or on a loopback port. There is no password: anyone who
//! can open the socket can use it.
//!
//! [`Node`] is what the API needs from the process. [`Socket`] is bound at startup, and [`serve()`] answers requests on
//! it. A [`Client`] sends requests, for the commands.

mod action;
mod answer;
mod api;
mod client;
mod node;
mod output;
mod report;
mod routes;
mod serve;
mod services;
mod socket;
#[cfg(test)]
mod tests;

pub use self::{
    action::{ServiceAction, UnknownAction},
    api::{router, router_for_tcp},
    client::{Client, ClientError},
    node::Node,
    output::{OutputItem, OutputQuery},
    report::{
        ChangesReport, ConfigurationReport, EndpointReport, EndpointState, ErrorReport, JwtKeysReport, ReloadReport,
        RouteReport, RouteTlsReport, RoutesReport, SecretReport, StatusReport, UpstreamsReport,
    },
    serve::serve,
    socket::{Socket, SocketError},
};
