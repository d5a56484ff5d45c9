//! Reuses connections to one endpoint: HTTP/1.1 in a [`Pool`], HTTP/2 in an [`Http2Pool`].
//!
//! ```
//! use std::time::Duration;
//! use pmesh_layers::{connect::SourceConnector, pool::Pool};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let connector = SourceConnector::new().subnet("127.2.0.0/16".parse()?);
//! // A pool is a tower service: clone it and call it.
//! let pool = Pool::with_limits(connector, "http://127.1.0.1:8080".parse()?, 100, Duration::from_secs(30));
//! # Ok(())
//! # }
//! ```

mod age;
mod body;
mod bounds;
mod error;
mod exchange;
mod greeting;
mod http2;
mod idle;
mod meter;
mod opening;
mod origin;
mod request;
mod response;
mod service;
mod stats;
mod streams;

/// How many times within the idle timeout the idle connections are checked. A connection can outlive its timeout by up
/// to a quarter.
const CHECKS_PER_TIMEOUT: u32 = 4;

pub(crate) use body::PooledBody;
pub use bounds::Connect;
pub use error::PoolError;
pub use greeting::Http2Error;
pub use http2::Http2Pool;
pub use opening::ConnectTimeout;
pub use response::InvalidResponse;
pub use service::Pool;
pub use stats::PoolStats;
