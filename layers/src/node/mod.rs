//! Connects programs that share a secret, and stays silent towards all others.
//!
//! Mutual TLS alone is not silent: a server presents its certificate before it sees the client's. So a connecting node
//! first proves, in its ClientHello, that it holds the secret. Only then does the other node respond, and both present
//! the certificates that their [`NodeAuthority`](crate::identity::NodeAuthority) has issued. Connections use HTTP/2
//! over TLS 1.3, without resumption.
//!
//! The HTTP server and the pool in this example need the features `server` and `client`.
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
//! // Two programs with the same secret.
//! let secret = Secret::generate()?;
//! let paris = NodeIdentity::new("example", "paris".parse()?, [&secret])?;
//! let berlin = NodeIdentity::new("example", "berlin".parse()?, [&secret])?;
//!
//! // One accepts connections.
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let endpoint = format!("https://{}", listener.local_addr()?).parse()?;
//! let acceptor = NodeAcceptor::new(paris);
//! tokio::spawn(async move {
//!     while let Ok((tcp, from)) = listener.accept().await {
//!         let acceptor = acceptor.clone();
//!         tokio::spawn(async move {
//!             let (tls, peer, mut term) = match acceptor.accept(tcp, Duration::from_secs(10)).await {
//!                 Ok(accepted) => accepted,
//!                 // Send nothing to a stranger.
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
//!                 // The secret was removed: finish requests in flight.
//!                 () = term.ended() => {
//!                     control.drain();
//!                     served.await;
//!                 }
//!             }
//!         });
//!     }
//! });
//!
//! // The other one connects.
//! let connector = NodeConnector::new(SourceConnector::new(), berlin, "paris".parse()?);
//! let pool = Http2Pool::new(connector, endpoint);
//! let request = Request::get("https://paris/").body(RequestBody::empty())?;
//! let response = pool.oneshot(request).await?;
//! assert_eq!(response.into_body().collect().await?.to_bytes(), "hello berlin");
//! # Ok(())
//! # }
//! ```
//!
//! If the other node stays silent, the request fails with a [`PoolError`](crate::pool::PoolError) that has a
//! [`NodeError`] among its causes: find it with [`causes::find`](crate::causes::find), and check
//! [`NodeError::is_silence`].
//!
//! # The proof
//!
//! | bytes | what |
//! | --- | --- |
//! | 1 | the version, 1 |
//! | 8 | the time, in seconds since 1970, big-endian |
//! | 16 | a random nonce |
//! | 32 | HMAC-SHA256 of all of the above and the name of the requested node; its key is 64 bytes of HKDF-SHA256 of the secret, with the info `CONTEXT proof v1` |
//!
//! The proof comes first in the list of application protocols (ALPN), before `h2`. Protocol names can be any bytes (RFC
//! 7301, 3.1). No SNI is sent.
//!
//! Only the node that a proof was made for accepts it, only once, and only while the clocks of both nodes are close
//! ([`NodeIdentity::clock_window`]). The proof is not bound to the rest of the handshake. An attacker who intercepts a
//! proof and uses it in time, or replays it to a node that has restarted since, learns that there is a TLS server, but
//! gets no further without a certificate.
//!
//! # Removing a secret
//!
//! When [`NodeIdentity::replace`] removes a secret, connections that were opened with it continue for a while, so that
//! requests in flight can finish:
//!
//! - The accepting side drains the connection when its [`Term`] is over, as above. Clients see a GOAWAY, and an
//!   [`Http2Pool`](crate::pool::Http2Pool) moves on to a new connection without losing a request.
//! - The connecting side closes the connection after [`NodeConnector::grace`]. Until then its pool keeps using it.
//!   Requests that are still in flight at that point fail.
//!
//! So remove the old secret on the accepting nodes first.
//!
//! # Your own certificates
//!
//! If certificates have to come from an existing authority, pass them to [`NodeIdentity::with_certificates`]. The
//! secret is then used only for the proof.

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
