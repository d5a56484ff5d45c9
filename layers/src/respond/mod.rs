//! Errors become responses: a table that covers every error of this crate, and rows of your own.
//!
//! Layers that refuse a request, and services that get no response, end in an error, so that the stack around them decides
//! what the client sees. [`RespondLayer`] is the usual decision. It never fails itself, which is what
//! [`axum::Router::layer`](https://docs.rs/axum/latest/axum/struct.Router.html#method.layer) asks of a layer:
//!
//! ```
//! use axum::{Router, body::Body, http::{Request, StatusCode}, routing::get};
//! use pmesh_layers::{host::{HostLayer, HostRejected, HostSet}, respond::RespondLayer};
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
//! // With another answer than that of the table, a status or a whole response:
//! let respond = RespondLayer::new().on(|_: &HostRejected| StatusCode::FORBIDDEN);
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
//! | [`HostRejected`](crate::host::HostRejected) | 421 if the host is not served, 400 if there is no valid one |
//! | [`Misdirected`](crate::sni::Misdirected) | 421 |
//! | [`Unacceptable`](crate::framing::Unacceptable) | 405 for the method, else 400 |
//! | [`NotSwitched`](crate::upgrade::NotSwitched) | 400 for the protocol, 501 if there is nothing to switch to, else 502 |
//! | [`NoRoute`](crate::route::NoRoute) | 404, or 400 if the path has two readings |
//! | [`LoopDetected`](crate::via::LoopDetected) | 508 |
//! | [`BodyTooLong`](crate::body_limit::BodyTooLong) | 413, also as the cause of another error |
//! | [`RequestBodyError`](crate::body::RequestBodyError) | 400, also as the cause of another error |
//! | [`TimedOut`](crate::response_timeout::TimedOut) | 504 for the backend, 408 for the client |
//! | [`AllUnreachable`](crate::balance::AllUnreachable) | 503 |
//! | [`PoolError`](crate::pool::PoolError) | 504 if connecting took too long, 503 if this machine has no descriptor, memory or port left, 400 if the client broke off its request, else 502 |
//! | [`ConnectError`](crate::connect::ConnectError) | 504 if it is a timeout, also as the cause of another error; else 502 |
//! | [`Failed`](crate::balance::Failed) | that of its cause |
//! | [`MissingExtension`](crate::MissingExtension) | 500 |
//! | any other | 502 |
//!
//! The body is the status as text. A 405 names the allowed methods. After 400, 405, 408 and 413 a connection of HTTP/1 ends,
//! because nobody can tell, or wants to read, where the next request begins.
//!
//! # Answers and silence
//!
//! To answer is the opposite of silence. On an [`HttpServer`](crate::serve::HttpServer), put the layer inside of
//! [`OpenGateLayer`](crate::silence::OpenGateLayer): errors of the layers outside of it then end the connection without a
//! byte. On a server that knows of no silence, such as `axum::serve`, put it outside of everything: such a server has to
//! answer each request, and the choice is what it answers.

mod answer;
mod cause;
mod future;
mod layer;
mod status;

pub use answer::{Answer, Answers, Row};
pub use cause::Cause;
pub use future::ResponseFuture;
pub use layer::{Respond, RespondLayer};
pub use status::{plain, status};
