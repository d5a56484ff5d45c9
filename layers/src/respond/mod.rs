//! Turns errors into responses, with a table that covers every error of this crate and can be extended.
//!
//! Layers that reject a request, and services that get no response, return an error, so that the outer layers decide
//! what the client sees. [`RespondLayer`] is the usual choice. It never fails itself, as
//! [`axum::Router::layer`](https://docs.rs/axum/latest/axum/struct.Router.html#method.layer) requires:
//!
//! ```
//! use axum::{Router, body::Body, http::{Request, StatusCode}, routing::get};
//! use pmesh_layers::{host::{HostLayer, HostRejected, HostSet}, respond::{RespondLayer, status}};
//! use tower::ServiceExt;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hosts = HostLayer::new(HostSet::new(["example.com".parse()?]));
//! let app: Router = Router::new().route("/", get(async || "hello")).layer((RespondLayer::new(), hosts.clone()));
//!
//! let request = |host| Request::get("/").header("host", host).body(Body::empty());
//! assert_eq!(app.clone().oneshot(request("example.com")?).await?.status(), StatusCode::OK);
//! assert_eq!(app.oneshot(request("other.example")?).await?.status(), StatusCode::MISDIRECTED_REQUEST);
//!
//! // With an answer that differs from the table, a status or a whole response; here, only for hosts that are not served:
//! let respond = RespondLayer::new().on(|error: &HostRejected| match error.is_malformed() {
//!     true => status(error),
//!     false => StatusCode::FORBIDDEN,
//! });
//! let app: Router = Router::new().route("/", get(async || "hello")).layer((respond, hosts));
//! assert_eq!(app.oneshot(request("other.example")?).await?.status(), StatusCode::FORBIDDEN);
//! # Ok(())
//! # }
//! ```
//!
//! # The table
//!
//! | error | status |
//! | --- | --- |
//! | [`HostRejected`](crate::host::HostRejected) | 421 if the host is not served, 400 if there is no valid host |
//! | [`Misdirected`](crate::sni::Misdirected) | 421 |
//! | [`Unacceptable`](crate::framing::Unacceptable) | 405 for the method, otherwise 400 |
//! | [`NotSwitched`](crate::upgrade::NotSwitched) | 400 for the protocol, 501 if there is nothing to switch to, otherwise 502 |
//! | [`NoRoute`](crate::route::NoRoute) | 404, 405 if its routes are for other methods, or 400 if the path has two readings |
//! | [`LoopDetected`](crate::cdn_loop::LoopDetected) | 508 |
//! | [`BodyTooLong`](crate::body_limit::BodyTooLong) | 413, also as the cause of another error |
//! | [`RequestBodyError`](crate::body::RequestBodyError) | 400, also as the cause of another error |
//! | [`TimedOut`](crate::response_timeout::TimedOut) | 504 for the backend, 408 for the client |
//! | [`AllUnreachable`](crate::balance::AllUnreachable) | 503 |
//! | [`PoolError`](crate::pool::PoolError) | 504 if connecting took too long, 503 if this machine has no descriptor, memory or port left, 400 if the client aborted its request, otherwise 502 |
//! | [`ConnectError`](crate::connect::ConnectError) | 504 if it is a timeout, also as the cause of another error; otherwise 502 |
//! | [`Failed`](crate::balance::Failed) | the status of its cause |
//! | [`MissingExtension`](crate::MissingExtension), [`MissingUpgrade`](crate::upgrade::MissingUpgrade) | 500 |
//! | [`NoResponse`] | 403, unless it [passes](RespondLayer::pass) |
//! | any other | 502 |
//!
//! A row of your own gets all errors of its type, also as the cause of another error: a row for `PoolError` answers one
//! inside a `Failed`. Where it has no answer of its own, it returns the error's [`status`].
//!
//! The body is the status as text. A 405 lists the allowed methods. After 400, 405, 408 and 413, an HTTP/1 connection
//! is closed, because it is unclear where the next request begins, or not worth reading that far.
//!
//! # Answers and silence
//!
//! An answer is the opposite of silence. On an [`HttpServer`](crate::serve::HttpServer), put this layer inside
//! [`OpenGateLayer`](crate::silence::OpenGateLayer): errors of the layers outside it then end the connection without a
//! byte. [`NoResponse`] leaves a request without an answer even here, if the layer lets it
//! [pass](RespondLayer::pass). On a server without silence, such as `axum::serve`, make this layer the outermost one:
//! such a server has to answer every request, so all you choose is the answer.

mod answer;
mod cause;
mod future;
mod layer;
mod no_response;
mod status;

pub use answer::{Answer, Answers, Pass, Row};
pub use cause::Cause;
pub use future::ResponseFuture;
pub use layer::{Respond, RespondLayer};
pub use no_response::NoResponse;
pub use status::{plain, status};
