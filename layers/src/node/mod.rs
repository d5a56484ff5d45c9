//! Connections between programs that share a secret, and silence to all others.
//!
//! Mutual TLS alone is not silent: a server shows its certificate before it sees the client's. So a node that connects
//! proves first, in its ClientHello, that it holds the secret; only then it is answered, and both show the certificates
//! that their [`NodeAuthority`](crate::identity::NodeAuthority) has issued. TLS is 1.3, with nothing resumed, and what
//! is spoken over it is HTTP/2.
//!
//! The HTTP server and the pool below need the features `server` and `client`.
//!
//! ```
//! use std::{convert::Infallible, future::ready, pin::pin, time::Duration};
//! use http::{Request, Response};
//! use http_body_util::BodyExt;
//! use pmesh_layers::{
//!     body::{RequestBody, ResponseBody},
//!     conn::ConnInfo,
//!     connect::SourceConnector,
//!     identity::Secret,
//!     node::{NodeAcceptor, NodeConnector, NodeIdentity},
//!     pool::Http2Pool,
//!     serve::{HttpServer, Protocol},
//!     silence,
//! };
//! use tokio::net::TcpListener;
//! use tower::{BoxError, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! // Two programs that were given the same secret.
//! let secret = Secret::generate()?;
//! let paris = NodeIdentity::new("example", "paris".parse()?, [&secret])?;
//! let berlin = NodeIdentity::new("example", "berlin".parse()?, [&secret])?;
//!
//! // The one that accepts.
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let endpoint = format!("https://{}", listener.local_addr()?).parse()?;
//! let acceptor = NodeAcceptor::new(paris);
//! tokio::spawn(async move {
//!     while let Ok((tcp, from)) = listener.accept().await {
//!         let acceptor = acceptor.clone();
//!         tokio::spawn(async move {
//!             let (tls, peer, mut term) = match acceptor.accept(tcp, Duration::from_secs(10)).await {
//!                 Ok(accepted) => accepted,
//!                 // Not a byte for a stranger.
//!                 Err(rejected) => return drop(silence::close(rejected.io).await),
//!             };
//!             let hello = format!("hello {peer}");
//!             let service = service_fn(move |_: Request<RequestBody>| {
//!                 ready(Ok::<_, Infallible>(Response::new(ResponseBody::from(hello.clone()))))
//!             });
//!             let info = ConnInfo::node(from, peer);
//!             let control = info.control().clone();
//!             let mut served = pin!(HttpServer::new().serve(tls, info, Protocol::Http2, service));
//!             tokio::select! {
//!                 _ = &mut served => {}
//!                 // The secret was given up: finish what is in flight.
//!                 () = term.over() => {
//!                     control.drain();
//!                     served.await;
//!                 }
//!             }
//!         });
//!     }
//! });
//!
//! // The one that connects.
//! let connector = NodeConnector::new(SourceConnector::new(), berlin, "paris".parse()?);
//! let pool = Http2Pool::new(connector, endpoint);
//! let request = Request::get("https://paris/").body(RequestBody::empty())?;
//! let response = pool.oneshot(request).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "hello berlin");
//! # Ok(())
//! # }
//! ```
//!
//! A node that is met with silence gets a [`PoolError`](crate::pool::PoolError) that has a [`NodeError`] among its causes:
//! [`causes::find`](crate::causes::find) finds it, and [`NodeError::is_silence`] tells.
//!
//! # The proof
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | the version, 1 |
//! | 8 | the time, in seconds since 1970, the highest byte first |
//! | 16 | a random number |
//! | 32 | HMAC-SHA256 of all that, and of the name of the node that is asked for; its key is HKDF-SHA256 of the secret, with the info `CONTEXT proof v1`, 64 bytes long |
//!
//! It stands first in the list of application protocols (ALPN), whose names may be any bytes (RFC 7301, 3.1), before
//! `h2`. No name is sent (SNI).
//!
//! A proof is accepted by the node it was made for, once, and while the clocks of both are close
//! ([`NodeIdentity::clock_window`]). It is not bound to the rest of the handshake: who catches one on its way, keeps it
//! from arriving and uses it in time, or uses it again on a node that was started anew since, sees a TLS server, and
//! cannot go on without a certificate.
//!
//! # Giving up a secret
//!
//! When [`NodeIdentity::replace`] gives up a secret, connections that were made with it go on, so that requests in
//! flight can finish:
//!
//! - The accepting side drains the connection when its [`Term`] is over, as above. Clients see a GOAWAY, and an
//!   [`Http2Pool`](crate::pool::Http2Pool) moves on to a new connection without losing a request.
//! - The connecting side breaks the connection after [`NodeConnector::grace`]. Until then its pool keeps using it, and
//!   requests that are still in flight at the end fail.
//!
//! So take the old secret away from the nodes that accept connections first.
//!
//! # Own certificates
//!
//! Where certificates have to come from an authority that is there already, [`NodeIdentity::with_certificates`] takes
//! them. The secret then makes the proof alone.

mod acceptor;
mod configs;
mod connector;
mod error;
mod expiring_io;
mod identity;
mod peer;
mod proof;
mod rejected;
mod seen;
mod term;

pub use acceptor::NodeAcceptor;
pub use configs::NodeCertificates;
pub use connector::NodeConnector;
pub use error::NodeError;
pub use expiring_io::ExpiringIo;
pub use identity::NodeIdentity;
pub use rejected::NodeRejected;
pub use term::Term;

pub use crate::sni::Rejected;
