//! Several endpoints in turn, and on to the next one when one fails.
//!
//! ```
//! use http_body_util::Empty;
//! use pmesh_layers::{balance::{Balance, Once}, connect::SourceConnector, pool::Pool};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let connector = SourceConnector::new();
//! let pool = |endpoint: &'static str| {
//!     Pool::<_, Once<Empty<bytes::Bytes>>>::new(connector.clone(), http::Uri::from_static(endpoint))
//! };
//! let upstream = Balance::new([pool("http://127.1.0.1:8080"), pool("http://127.1.0.2:8080")]);
//! # Ok(())
//! # }
//! ```

mod budget;
mod health;
mod once;
mod service;

pub use once::Once;
pub use service::{Balance, NoEndpoint, ResponseFuture, Unsent};
