//! Stays silent towards clients that have not named a served host.
//!
//! There are three parts. A [`Gate`] sits between the connection and the HTTP server, and holds back what the server
//! writes on its own. [`OpenGateLayer`] opens it, inside the layers that decide whether the client gets a response.
//! [`close()`] closes a connection with a FIN and nothing else. [`HttpServer`](crate::serve::HttpServer) uses the gate
//! and [`close()`] for you.
//!
//! Silence needs connections that you accept yourself. In a server such as `axum::serve`, hyper owns the connection and
//! responds to every request. There, a [`RespondLayer`](crate::respond::RespondLayer) can choose any response, but not
//! silence.
//!
//! ```
//! use pmesh_layers::{
//!     body::RequestBody,
//!     conn::ConnInfo,
//!     host::{HostLayer, HostSet},
//!     serve::{HttpServer, Protocol},
//!     silence::OpenGateLayer,
//! };
//! use http::{Request, Response};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use tower::{BoxError, ServiceBuilder};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let stack = ServiceBuilder::new()
//!     .layer(HostLayer::new(HostSet::new(["example.com".parse()?])))
//!     .layer(OpenGateLayer::new())
//!     .service_fn(async |_: Request<RequestBody>| Ok::<_, BoxError>(Response::new(String::from("hello"))));
//!
//! for (host, answered) in [("example.com", true), ("other.example", false)] {
//!     let (mut client, server) = tokio::io::duplex(4096);
//!     let info = ConnInfo::plain(([192, 0, 2, 1], 40000).into());
//!     let stack = stack.clone();
//!     tokio::spawn(async move { HttpServer::new().serve(server, info, Protocol::Http1, stack).await });
//!     client.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).await?;
//!     let mut answer = Vec::new();
//!     client.read_to_end(&mut answer).await?;
//!     assert_eq!(!answer.is_empty(), answered);
//! }
//! # Ok(())
//! # }
//! ```

mod close;
mod gate;
mod layer;

pub(crate) use close::close_within;
pub use close::{IntoRaw, close};
pub(crate) use gate::H2_PREFACE;
pub use gate::{Gate, Reclaim};
pub use layer::{OpenGate, OpenGateLayer};
