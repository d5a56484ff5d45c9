//! A request body that is the same type for every server.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use pmesh_layers::body::RequestBody;
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let echo = ServiceBuilder::new().service_fn(async |request: Request<RequestBody>| {
//!     Ok::<_, BoxError>(Response::new(request.into_body().collect().await?.to_bytes()))
//! });
//! let request = Request::post("/").body(RequestBody::new(Full::from("hello")))?;
//! assert_eq!(echo.oneshot(request).await?.into_body(), Bytes::from("hello"));
//! # Ok(())
//! # }
//! ```

mod error;
mod other;
mod request;

pub use error::RequestBodyError;
pub use request::RequestBody;
