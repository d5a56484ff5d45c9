//! Connections to backends, and the addresses that they leave from.
//!
//! A source address has about 28,000 ephemeral ports for each destination. [`SourceConnector`] takes turns with a whole
//! [`SourceSubnet`] of loopback addresses, and lets the kernel pick each port for the pair of source and destination.
//! [`TlsConnector`] speaks TLS over another connector's connections; [`UnixConnector`] connects to a socket of this machine.
//!
//! The scheme of a URI decides which of them may be used: `https` is an error for connectors without TLS, which would
//! send it in clear text, and `http` is one for [`TlsConnector`].

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
