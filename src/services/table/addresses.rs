//! Where the instances of services listen.

use std::{
    collections::HashSet,
    fs::DirBuilder,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener},
    ops::RangeInclusive,
    os::unix::{ffi::OsStrExt, fs::DirBuilderExt},
    path::Path,
};

use ipnet::Ipv4Net;
use pmesh_layers::address_pool::{AddressPool, PortPool};

use super::{
    error::{AddressError, Problem},
    instances::{Half, key},
};
use crate::settings::{
    Service, ServiceListen, ServiceProtocol, Settings,
    endpoint::{Instance, InstanceAddress, Protocol},
};

/// Ports for programs that cannot choose their address. By default, Linux does not use them for outgoing connections.
const PORTS: RangeInclusive<u16> = 20_000..=29_999;
/// The longest path of a Unix socket, in bytes.
const MAX_PATH: usize = 107;
/// After so many addresses in use, the port counts as in use on all addresses.
const MAX_IN_USE: usize = 64;

/// The addresses of all services, for one `subnet_service`.
#[derive(Debug)]
pub(super) struct Addresses {
    subnet: Ipv4Net,
    addresses: AddressPool,
    ports: PortPool,
}

impl Addresses {
    pub(super) fn new(settings: &Settings) -> Self {
        // Another pmesh on this machine has another home, and so other addresses.
        let seed = settings.home.as_os_str().as_bytes();
        let subnet = settings.subnet_service;
        // The backend of the demo has the first one.
        let addresses = AddressPool::new(subnet, seed).reserve(subnet.hosts().next());
        Self { subnet, addresses, ports: PortPool::new(PORTS, seed) }
    }

    /// Whether `settings` have the same subnet.
    pub(super) fn are_for(&self, settings: &Settings) -> bool {
        self.subnet == settings.subnet_service
    }

    /// An instance at the address that it has, or at a new one on which no program listens.
    pub(super) fn instance(
        &mut self,
        service: &Service,
        number: u16,
        half: Half,
        settings: &Settings,
    ) -> Result<Instance, AddressError> {
        let key = key(&service.name, number, half);
        let address = match service.listen {
            ServiceListen::Address => self.address(&key, service.port).map(InstanceAddress::Socket),
            ServiceListen::Port => self.port(&key).map(InstanceAddress::Socket),
            ServiceListen::Unix => socket(&settings.home, service, number, half),
        };
        let protocol = match service.protocol {
            ServiceProtocol::Http => Protocol::Http,
            ServiceProtocol::H2c => Protocol::H2c,
        };
        let address = address.map_err(|problem| AddressError::new(service, problem))?;
        Ok(Instance { service: service.name.clone(), number, protocol, address })
    }

    /// Frees all addresses except those of these keys.
    pub(super) fn keep_only(&mut self, keys: impl Iterator<Item = String>) {
        let keys: HashSet<_> = keys.collect();
        let unused = |all: Vec<String>| all.into_iter().filter(|key| !keys.contains(key)).collect::<Vec<_>>();
        for key in unused(self.addresses.iter().map(|(key, _)| key.to_owned()).collect()) {
            self.addresses.release(&key);
        }
        for key in unused(self.ports.iter().map(|(key, _)| key.to_owned()).collect()) {
            self.ports.release(&key);
        }
    }

    fn address(&mut self, key: &str, port: u16) -> Result<SocketAddr, Problem> {
        let mut check = Check::default();
        let assigned = self.addresses.assign_where(key, |address| check.accepts(address, port));
        let address = check.problem.map_or(Ok(assigned), Err)?;
        address.map(|address| SocketAddr::from((address, port))).map_err(|_| Problem::SubnetFull(self.subnet))
    }

    fn port(&mut self, key: &str) -> Result<SocketAddr, Problem> {
        let host = Ipv4Addr::LOCALHOST;
        let port = self.ports.assign_where(key, |port| !is_in_use(&try_bind(host, port)));
        port.map(|port| SocketAddr::from((host, port))).map_err(|_| Problem::PortsFull(PORTS))
    }
}

/// Looks for an address on which no program listens.
#[derive(Debug, Default)]
struct Check {
    in_use: usize,
    /// Why looking further is no use.
    problem: Option<Problem>,
}

impl Check {
    /// Whether to take this candidate: it is free, or looking further is no use.
    fn accepts(&mut self, address: Ipv4Addr, port: u16) -> bool {
        let bound = try_bind(address, port);
        if is_in_use(&bound) {
            self.in_use += 1;
            if self.in_use >= MAX_IN_USE {
                self.problem = Some(Problem::PortInUse(port));
            }
            return self.problem.is_some();
        }
        if bound.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable) {
            self.problem = Some(Problem::NotLocal(address));
        }
        // The instance reports any other error better than this test, such as a missing permission.
        true
    }
}

/// Fails if a program listens there. An instance could not, and pmesh would mistake that program for it.
pub(in crate::services) fn require_free(address: SocketAddr) -> io::Result<()> {
    match TcpListener::bind(address) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(io::Error::other(format!(
            "another program listens on {address}, or on port {} of all addresses",
            address.port()
        ))),
        // The instance reports any other error better than this test.
        _ => Ok(()),
    }
}

fn try_bind(address: Ipv4Addr, port: u16) -> io::Result<()> {
    TcpListener::bind((IpAddr::from(address), port)).map(drop)
}

fn is_in_use(bound: &io::Result<()>) -> bool {
    bound.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse)
}

/// A socket in the home, in a folder that is created if it does not exist.
fn socket(home: &Path, service: &Service, number: u16, half: Half) -> Result<InstanceAddress, Problem> {
    let folder = home.join("services");
    let path = folder.join(format!("{}-{number}-{half}.sock", service.name));
    if path.as_os_str().len() > MAX_PATH {
        return Err(Problem::LongPath(path));
    }
    match DirBuilder::new().recursive(true).mode(0o700).create(&folder) {
        Ok(()) => Ok(InstanceAddress::Unix(path)),
        Err(error) => Err(Problem::NoFolder { path: folder, error }),
    }
}
