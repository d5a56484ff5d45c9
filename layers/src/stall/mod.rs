//! Sets how long a response may go without progress, if the timeouts of the server do not suit it.
//!
//! [`HttpServer`](crate::serve::HttpServer) cuts off a response that makes no progress for its
//! [`stall_timeout`](crate::serve::HttpServer::stall_timeout) or, if it is a stream, for its
//! [`stream_timeout`](crate::serve::HttpServer::stream_timeout). [`StallLayer`] changes both for the responses of a
//! service. A service can also change them for a single response, with [`StallTimeouts`] in its extensions:
//!
//! ```
//! use std::time::Duration;
//! use http::{Request, Response};
//! use pmesh_layers::stall::{StallLayer, StallTimeouts};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let minutes = |count: u64| Duration::from_secs(count * 60);
//! let service = ServiceBuilder::new()
//!     .layer(StallLayer::new(StallTimeouts::new().with_stall(minutes(10))))
//!     .service_fn(async |request: Request<()>| {
//!         let mut response = Response::new(String::from("body"));
//!         if request.uri().path() == "/report" {
//!             response.extensions_mut().insert(StallTimeouts::new().with_stall(minutes(30)));
//!         }
//!         Ok::<_, BoxError>(response)
//!     });
//!
//! for (path, expected) in [("/", minutes(10)), ("/report", minutes(30))] {
//!     let response = service.clone().oneshot(Request::get(path).body(())?).await?;
//!     assert_eq!(response.extensions().get::<StallTimeouts>().and_then(|timeouts| timeouts.stall()), Some(expected));
//! }
//! # Ok(())
//! # }
//! ```

mod layer;
mod timeouts;

pub use layer::{Stall, StallFuture, StallLayer};
pub use timeouts::StallTimeouts;
