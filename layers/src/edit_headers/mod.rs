//! Sets, adds and removes headers of requests and responses.
//!
//! ```
//! use http::{HeaderName, HeaderValue, Request, Response};
//! use pmesh_layers::edit_headers::{EditResponseHeadersLayer, HeaderEdits};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let edits = HeaderEdits::new()
//!     .set(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY"))
//!     .remove(HeaderName::from_static("server"));
//! let service = ServiceBuilder::new()
//!     .layer(EditResponseHeadersLayer::new(edits))
//!     .service_fn(async |_: Request<()>| Response::builder().header("server", "nginx").body(()));
//! let response = service.oneshot(Request::new(())).await?;
//! assert_eq!(response.headers()["x-frame-options"], "DENY");
//! assert!(!response.headers().contains_key("server"));
//! # Ok(())
//! # }
//! ```
//!
//! For a single header that is known at compile time, tower-http's `set_header` does the same.

mod edits;
mod request;
mod response;

pub use edits::HeaderEdits;
pub use request::{EditRequestHeaders, EditRequestHeadersLayer};
pub use response::{EditResponseHeaders, EditResponseHeadersLayer, ResponseFuture};
