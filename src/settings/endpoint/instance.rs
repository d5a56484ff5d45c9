//! One instance of a service.

use std::{fmt, net::SocketAddr, path::PathBuf};

use super::{Protocol, ServiceName};

/// One instance of a service, at one of its addresses.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance {
    /// The service.
    pub service: ServiceName,
    /// Its number, from 1.
    pub number: u16,
    /// The protocol: [`Http`](Protocol::Http) or [`H2c`](Protocol::H2c).
    pub protocol: Protocol,
    /// The address where it listens.
    pub address: InstanceAddress,
}

/// Where an instance of a service listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceAddress {
    /// An address and a port.
    Socket(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// `service://web/1 (127.1.20.3:8080)`
impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "service://{}/{} ({})", self.service, self.number, self.address)
    }
}

impl fmt::Display for InstanceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
