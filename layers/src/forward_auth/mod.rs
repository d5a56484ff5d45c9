//! Asks an authentication server about each request, and passes on only those that it admits.
//!
//! ```
//! use bytes::Bytes;
//! use http::{HeaderName, Request, Response, Uri};
//! use http_body_util::Empty;
//! use pmesh_layers::{
//!     body::{RequestBody, ResponseBody},
//!     forward_auth::ForwardAuthLayer,
//! };
//! use tower::{BoxError, ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! // In a proxy, this is a pool of connections to the server.
//! let server = service_fn(async |request: Request<RequestBody>| {
//!     let response = match request.headers().get("cookie") {
//!         Some(_) => Response::builder().header("remote-user", "alice"),
//!         None => Response::builder().status(302).header("location", "https://login.example.com/"),
//!     };
//!     response.body(ResponseBody::empty())
//! });
//! let remote_user = HeaderName::from_static("remote-user");
//! let service = ServiceBuilder::new()
//!     .layer(ForwardAuthLayer::new(server, Uri::from_static("http://127.0.0.1:9091/verify")).copy_headers([remote_user]))
//!     .service_fn(async |request: Request<RequestBody>| {
//!         assert_eq!(request.headers()["remote-user"], "alice");
//!         Ok::<_, BoxError>(Response::new(ResponseBody::from("hello")))
//!     });
//!
//! let with = |name: &str| Request::get("/").header(name, "root").body(Empty::<Bytes>::new());
//! assert_eq!(service.clone().oneshot(with("cookie")?).await?.status(), 200);
//! assert_eq!(service.oneshot(with("remote-user")?).await?.status(), 302);
//! # Ok(())
//! # }
//! ```

mod future;
mod layer;
mod question;
mod settings;
mod verdict;

pub use future::ForwardAuthFuture;
pub use layer::{ForwardAuth, ForwardAuthLayer};
pub use verdict::NoVerdict;
