//! Limits how many requests are in flight at once, without a queue.
//!
//! A request is in flight until its response has ended: the body, too, and the tunnel after an upgrade.
//! [`tower::limit::ConcurrencyLimitLayer`](https://docs.rs/tower/latest/tower/limit/struct.ConcurrencyLimitLayer.html) lets
//! further requests wait instead, and counts a request only until the head of its response has come.
//!
//! ```
//! use http::{Request, Response};
//! use pmesh_layers::max_in_flight::{MaxInFlightLayer, TooManyInFlight};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let service = ServiceBuilder::new()
//!     .layer(MaxInFlightLayer::new(1))
//!     .service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(String::from("text"))));
//! let response = service.clone().oneshot(Request::new(())).await?;
//! // The body has not been read.
//! let error = service.clone().oneshot(Request::new(())).await.unwrap_err();
//! assert!(error.is::<TooManyInFlight>());
//! drop(response);
//! assert!(service.oneshot(Request::new(())).await.is_ok());
//! # Ok(())
//! # }
//! ```

mod body;
mod count;
mod layer;

pub use body::CountedBody;
pub(crate) use count::Counted;
pub use count::InFlightCount;
pub use layer::{MaxInFlight, MaxInFlightFuture, MaxInFlightLayer, TooManyInFlight};
