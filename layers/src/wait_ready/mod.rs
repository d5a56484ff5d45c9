//! Holds requests back while the service behind it is not ready.
//!
//! Something else starts the service and says when it is ready, with a [`Readiness`]: a supervisor of local programs, for
//! example. Requests wait for that up to a timeout, and then fail with [`NotReady`] (503). While the service is ready, a
//! request costs one more atomic read.
//!
//! ```
//! use std::{convert::Infallible, time::Duration};
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Empty};
//! use pmesh_layers::{
//!     body::{RequestBody, ResponseBody},
//!     wait_ready::{Readiness, WaitReadyLayer},
//! };
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower::BoxError> {
//! let readiness = Readiness::new();
//! let service = ServiceBuilder::new()
//!     .layer(WaitReadyLayer::new(readiness.clone(), Duration::from_secs(10)))
//!     .service(service_fn(async |_: Request<RequestBody>| {
//!         Ok::<_, Infallible>(Response::new(ResponseBody::from("hello")))
//!     }));
//!
//! // Starts the service when the first request comes.
//! tokio::spawn(async move {
//!     readiness.wanted().await;
//!     readiness.set_ready(true);
//! });
//! let response = service.oneshot(Request::new(Empty::<Bytes>::new())).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "hello");
//! # Ok(())
//! # }
//! ```
//!
//! # Around a balance
//!
//! If a [`Balance`](crate::balance::Balance) is the inner service, requests also wait while all of its endpoints are
//! [drained](crate::balance::Health::drain). With
//! [`Balance::return_requests`](crate::balance::Balance::return_requests), a request also waits if its endpoint has just gone
//! away and no other is left: a replacement may be about to start. It is sent again a moment later, if it can be sent twice.

mod error;
mod layer;
mod readiness;
#[cfg(test)]
mod tests;
mod wait;

pub use error::NotReady;
pub use layer::{WaitReady, WaitReadyFuture, WaitReadyLayer};
pub use readiness::{Readiness, Wanted};
