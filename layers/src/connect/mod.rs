//! Connects to backends: from many source addresses, over TLS, and to Unix sockets.
//!
//! A source address has about 28,000 ephemeral ports for each destination. [`SourceConnector`] uses a whole
//! [`SourceSubnet`] of loopback addresses in turn, and lets the kernel pick each port for the pair of source and
//! destination. [`TlsConnector`] speaks TLS over another connector's connections. [`UnixConnector`] connects to a Unix
//! socket.
//!
//! The scheme of a URI decides which connectors may be used. `https` is an error for connectors without TLS, which
//! would send the request in clear text, and `http` is an error for [`TlsConnector`].

mod connector;
mod error;
mod order;
mod race;
mod resolver;
mod socket;
mod subnet;
#[cfg(feature = "tls")]
mod tls;
mod unix;

pub use connector::SourceConnector;
pub use error::ConnectError;
pub use resolver::{Name, Resolver};
pub use subnet::{InvalidSubnet, SourceSubnet};
#[cfg(feature = "tls")]
pub use tls::{TlsConnector, TlsError};
pub use unix::UnixConnector;
