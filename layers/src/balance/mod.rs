//! Spreads requests over several endpoints, with retries and passive health checks.
//!
//! ```
//! use std::time::Duration;
//! use pmesh_layers::{balance::{Balance, connect_share}, connect::SourceConnector, pool::Pool};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let connector = SourceConnector::new();
//! // If one endpoint does not connect, there is still time for the other one.
//! let share = connect_share(Duration::from_secs(5), 2);
//! let pool = |endpoint: &'static str| {
//!     let uri = http::Uri::from_static(endpoint);
//!     (endpoint, Pool::new(connector.clone(), uri).connect_within(share))
//! };
//! let upstream = Balance::new([pool("http://127.1.0.1:8080"), pool("http://127.1.0.2:8080")]);
//! # Ok(())
//! # }
//! ```

mod attempts;
mod budget;
mod classify;
mod copy;
mod endpoints;
mod error;
mod failure;
mod future;
mod health;
mod lent;
mod record;
mod service;
mod share;
mod stats;
#[cfg(test)]
mod tests;
mod time_left;
mod trial;
mod unreachable;

pub use attempts::Attempts;
pub use classify::Classify;
pub use endpoints::{Endpoint, Rotation};
pub use error::{AllDrained, AllUnreachable, EndpointError, NoEndpoint};
pub use failure::Failure;
pub use future::ResponseFuture;
pub use health::{Health, HealthChange, HealthState, LastFailure, Outage};
pub use service::Balance;
pub use share::connect_share;
pub use stats::EndpointStats;
pub use time_left::TimeLeft;
pub use unreachable::Unreachable;
