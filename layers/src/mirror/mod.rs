//! Sends copies of requests to a second service, for example to try out a new version of a backend with real requests.
//!
//! The client gets the response of the first service, and never waits for the second one. The response to a copy is read and
//! dropped.
//!
//! ```
//! use std::sync::Arc;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use pmesh_layers::{body::{RequestBody, ResponseBody}, mirror::{MirrorLayer, MirrorStats}};
//! use tokio::sync::mpsc;
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let (copies, mut copied) = mpsc::unbounded_channel();
//! let mirror = service_fn(move |request: Request<RequestBody>| {
//!     let copies = copies.clone();
//!     async move {
//!         copies.send(request.into_body().collect().await?.to_bytes())?;
//!         // Nobody waits for it.
//!         std::future::pending::<Result<Response<ResponseBody>, BoxError>>().await
//!     }
//! });
//! let stats = Arc::new(MirrorStats::default());
//! let service = ServiceBuilder::new()
//!     .layer(MirrorLayer::new(mirror).stats(Arc::clone(&stats)))
//!     .service_fn(async |request: Request<RequestBody>| request.into_body().collect().await.map(|body| body.to_bytes()));
//! let request = Request::post("/").body(Full::<Bytes>::from("body"))?;
//! assert_eq!(service.oneshot(request).await?, "body");
//! assert_eq!(copied.recv().await.as_deref(), Some(&b"body"[..]));
//! assert_eq!(stats.in_flight(), 1);
//! # Ok(())
//! # }
//! ```

mod body;
mod head;
mod layer;
mod shared;
mod stats;
#[cfg(test)]
mod tests;

pub use layer::{Mirror, MirrorLayer};
pub use stats::MirrorStats;
