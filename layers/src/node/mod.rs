//! Connections between programs that share a secret, and silence to all others.
//!
//! Mutual TLS alone is not silent: a server shows its certificate before it sees the client's. So a node that connects
//! proves first, in its ClientHello, that it holds the secret; only then it is answered, and both show the certificates
//! that their [`NodeAuthority`](crate::identity::NodeAuthority) has issued. TLS is 1.3, with nothing resumed, and what
//! is spoken over it is HTTP/2.
//!
//! ```
//! use std::time::Duration;
//! use hyper_util::rt::TokioIo;
//! use pmesh_layers::{connect::SourceConnector, identity::Secret, node::{NodeAcceptor, NodeConnector, NodeIdentity}};
//! use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::TcpListener};
//! use tower::{BoxError, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! // Two programs, to which the same secret was given.
//! let secret = Secret::generate()?;
//! let paris = NodeIdentity::new("example", "paris".parse()?, [&secret])?;
//! let berlin = NodeIdentity::new("example", "berlin".parse()?, [&secret])?;
//!
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let uri = format!("https://{}", listener.local_addr()?).parse()?;
//! tokio::spawn(async move {
//!     let (tcp, _) = listener.accept().await?;
//!     let accepted = NodeAcceptor::new(paris).accept(tcp, Duration::from_secs(10)).await;
//!     let (mut tls, peer, _term) = accepted.map_err(|rejected| rejected.reason)?;
//!     tls.write_all(format!("hello {peer}").as_bytes()).await?;
//!     tls.shutdown().await?;
//!     Ok::<_, BoxError>(())
//! });
//!
//! let connector = NodeConnector::new(SourceConnector::new(), berlin, "paris".parse()?);
//! let mut tls = connector.oneshot(uri).await?.into_inner();
//! let mut heard = String::new();
//! tls.read_to_string(&mut heard).await?;
//! assert_eq!(heard, "hello berlin");
//! # Ok(())
//! # }
//! ```
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
//! flight can finish. On the accepting side, the [`Term`] of the connection says when to drain it. On the connecting
//! side, the connection breaks after [`NodeConnector::grace`].
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
