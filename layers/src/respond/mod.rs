//! Turns errors into responses, with a table that covers every error of this crate and can be extended.
//!
//! The layers of this crate return an error if they reject a request or get no response, so that an outer layer can decide
//! which response the client gets. [`RespondLayer`] is the usual choice. By default it never fails, as
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
//! // To answer differently from the table, return a status or a whole response. Here, for hosts that are not served:
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
//! | [`InvalidRequest`](crate::framing::InvalidRequest) | 405 for the method, otherwise 400 |
//! | [`NotSwitched`](crate::upgrade::NotSwitched) | 400 if the protocol is invalid, 501 if it is unsupported or the backend ignores it, otherwise 502 |
//! | [`NoRoute`](crate::route::NoRoute) | 405 if the routes are for other methods, 400 if the path is ambiguous, otherwise 404 |
//! | [`PathRejected`](crate::edit_path::PathRejected) | 400 |
//! | [`FilesError`](crate::files::FilesError) | 404 if there is no such file, 405 for methods other than GET and HEAD, 403 without permission to read it, 503 if the machine has run out of file descriptors or memory, otherwise 500 |
//! | [`LoopDetected`](crate::cdn_loop::LoopDetected) | 508 |
//! | [`BodyTooLong`](crate::body_limit::BodyTooLong) | 413, also as the cause of another error |
//! | [`RequestBodyError`](crate::body::RequestBodyError) | 400, also as the cause of another error |
//! | [`TimedOut`](crate::response_timeout::TimedOut) | 504 for the backend, 408 for the client |
//! | [`AllUnreachable`](crate::balance::AllUnreachable) | 503 |
//! | [`AllDrained`](crate::balance::AllDrained) | 503 |
//! | [`NotReady`](crate::wait_ready::NotReady) | 503 |
//! | [`PoolError`](crate::pool::PoolError) | 504 if connecting timed out, 503 if this machine has no file descriptor, memory or source port left, 400 if the client aborted its request, otherwise 502 |
//! | [`ConnectError`](crate::connect::ConnectError) | 504 for a timeout, also as the cause of another error; otherwise 502 |
//! | [`EndpointError`](crate::balance::EndpointError) | the status of its cause |
//! | [`MissingExtension`](crate::MissingExtension), [`MissingUpgrade`](crate::upgrade::MissingUpgrade) | 500 |
//! | [`ClientDenied`](crate::client_filter::ClientDenied) | 403 |
//! | [`JwtRejected`](crate::jwt::JwtRejected) | 401; 403 if the token lacks required claims, 503 if there are no keys yet |
//! | [`RateLimited`](crate::rate_limit::RateLimited) | 429 |
//! | [`TooManyInFlight`](crate::max_in_flight::TooManyInFlight) | 503 |
//! | [`NoResponse`] | 403, unless it [passes](RespondLayer::pass) |
//! | any other | 502 |
//!
//! A row that you [add](RespondLayer::on) answers all errors of its type, and errors caused by one: a row for `PoolError`
//! also answers one inside a `Failed`. To answer as the table does, return the [`status`] of the error.
//!
//! The body is the status as text. A 405 lists the allowed methods. `RateLimited`, `TooManyInFlight` and `NotReady` set
//! `Retry-After`, and `JwtRejected` sets `WWW-Authenticate`.
//! After 400, 405, 408 and 413, an HTTP/1 connection is closed, because it is unclear where the next request begins, or
//! because the rest of this one is not worth reading.
//!
//! # Answers and silence
//!
//! On an [`HttpServer`](crate::serve::HttpServer), put this layer inside
//! [`OpenGateLayer`](crate::silence::OpenGateLayer). Then errors of layers outside `OpenGateLayer` close the connection
//! without a byte. To stay silent even after the gate has opened, return [`NoResponse`] and let it
//! [pass](RespondLayer::pass).
//!
//! A server without silence, such as `axum::serve`, must answer every request. There, make this layer the outermost one.

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
