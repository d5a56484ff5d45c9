//! The admin API: what a running node tells and does for its operator.
//!
//! It is JSON over HTTP, on a Unix socket in the home folder or on a loopback port. Whoever can open the socket may ask: there is no password.
//!
//! [`Node`] is what is asked. [`Socket`] is bound while the program starts, and [`serve()`] answers there. A [`Client`] asks,
//! for the commands.

mod api;
mod client;
mod node;
mod report;
mod routes;
mod serve;
mod socket;
#[cfg(test)]
mod tests;

pub use self::{
    api::{router, router_for_tcp},
    client::{Client, ClientError},
    node::Node,
    report::{
        ChangesReport, ConfigurationReport, EndpointReport, EndpointState, ErrorReport, ReloadReport, RouteReport,
        RouteTlsReport, RoutesReport, SecretReport, StatusReport, UpstreamsReport,
    },
    serve::serve,
    socket::{Socket, SocketError},
};
