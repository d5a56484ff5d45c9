//! The bodies of requests and of responses: one type each, for every server, client and layer.
//!
//! A layer of this crate that acts upon bodies takes any body and hands on a [`RequestBody`] or a [`ResponseBody`], so
//! that types stay short however many layers there are. A body from hyper, from axum or of your own becomes one by
//! `new`, which boxes it; one that is of the type already is left as it is.
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

pub use error::{BodyTooLong, RequestBodyError, ResponseBodyError};
pub use request::RequestBody;
pub use response::ResponseBody;
pub(crate) use watch::{WatchRequest, WatchResponse};
