//! One type for request bodies and one for response bodies, for every server, client and layer.
//!
//! Layers of this crate that act on bodies accept any body and pass on a [`RequestBody`] or a [`ResponseBody`], so
//! types stay short however many layers there are. `new` boxes a body from hyper or axum, or one of your own. A body
//! that already has the type is not boxed again.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::{BodyExt, Full};
//! use pmesh_layers::body::{RequestBody, ResponseBody};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let echo = ServiceBuilder::new().service_fn(async |request: Request<RequestBody>| {
//!     Ok::<_, BoxError>(Response::new(ResponseBody::from(request.into_body().collect().await?.to_bytes())))
//! });
//! let request = Request::post("/").body(RequestBody::new(Full::from("hello")))?;
//! assert_eq!(echo.oneshot(request).await?.into_body().collect().await?.to_bytes(), "hello");
//! # Ok(())
//! # }
//! ```

mod error;
mod other;
mod request;
mod response;
mod watch;
mod whole;

pub use error::{BodyTooLong, RequestBodyError, ResponseBodyError};
pub use request::RequestBody;
pub use response::ResponseBody;
pub(crate) use watch::{WatchRequest, WatchResponse};
pub(crate) use whole::Whole;
