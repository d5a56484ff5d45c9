//! The error for a service without an address.

use std::{io, net::Ipv4Addr, ops::RangeInclusive, path::PathBuf};

use ipnet::Ipv4Net;

use crate::settings::Service;

/// An instance of a service cannot get an address.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {problem}")]
pub struct AddressError {
    /// Where the service was configured.
    origin: String,
    problem: Problem,
}

impl AddressError {
    pub(super) fn new(service: &Service, problem: Problem) -> Self {
        Self { origin: service.origin.to_string(), problem }
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error("all addresses of subnet_service ({0}) are in use; each instance needs two: set a larger subnet_service")]
    SubnetFull(Ipv4Net),
    #[error("all ports from {} to {} are in use; each instance needs two", .0.start(), .0.end())]
    PortsFull(RangeInclusive<u16>),
    #[error(
        "another program listens on port {0} of all addresses; find it with `ss -ltnp 'sport = :{0}'`, or set another \
         port for the service"
    )]
    PortInUse(u16),
    #[error(
        "this system does not have the address {0} for an instance; if 127.0.0.1 is its only loopback address, set \
         listen = \"port\" for the service"
    )]
    NotLocal(Ipv4Addr),
    #[error("cannot create the folder {} for Unix sockets: {error}", .path.display())]
    NoFolder { path: PathBuf, error: io::Error },
    #[error("the path {0} is too long for a Unix socket (107 bytes): use a shorter home folder")]
    LongPath(PathBuf),
}
