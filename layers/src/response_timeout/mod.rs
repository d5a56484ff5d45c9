//! Limits how long a backend can take to respond, and how slowly a client can send its request body.
//!
//! ```
//! use std::time::Duration;
//! use http::Request;
//! use bytes::Bytes;
//! use http_body_util::Full;
//! use pmesh_layers::response_timeout::{NoResponse, ResponseTimeoutLayer, TimedOut};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), BoxError> {
//! let service = ServiceBuilder::new()
//!     .layer(ResponseTimeoutLayer::new(Duration::from_secs(60)).min_rate(100, Duration::from_secs(60)))
//!     .service_fn(async |_: Request<_>| std::future::pending::<Result<(), BoxError>>().await);
//! let error = service.oneshot(Request::new(Full::<Bytes>::from("body"))).await.unwrap_err();
//! assert!(matches!(error, NoResponse::TimedOut(TimedOut::Backend)));
//! # Ok(())
//! # }
//! ```

mod error;
mod future;
mod progress;
mod service;
#[cfg(test)]
mod tests;
mod timed_out;

pub use error::NoResponse;
pub use future::ResponseFuture;
pub use service::{ResponseTimeout, ResponseTimeoutLayer};
pub use timed_out::TimedOut;
