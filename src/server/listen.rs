//! The listening sockets: all of them are bound before anything is served.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::settings::{Port, Settings};

/// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// After so much silence the kernel asks whether a peer is still there: a client that vanished from a tunnel, or from a
/// request that takes long, would else be waited for.
pub const KEEPALIVE: Duration = Duration::from_secs(60);

/// What may wait in the kernel beyond what a client takes at present, in bytes: it would keep some MiB for a client that
/// reads slowly, who would look as if he read, and what was written long before it is sent has left the processor's cache.
/// 1 MB over TLS takes 420 µs instead of 530, and 480 with four times as much.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 16 * 1024;

/// One of the three listeners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// Clients without TLS.
    Http,
    /// Clients with TLS.
    Https,
    /// Other nodes.
    Internal,
}

impl Listener {
    /// As in the settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Internal => "internal",
        }
    }
}

/// The sockets of one listener: one a worker, all on the same address.
#[derive(Debug)]
pub struct Bound {
    /// Which one.
    pub listener: Listener,
    /// The address, with the port that the kernel picked for 0.
    pub address: SocketAddr,
    /// The sockets.
    pub sockets: Vec<TcpListener>,
}

/// Binds all listeners that are not off, a socket for each worker.
///
/// # Errors
///
/// [`ListenError`] says which listener, why and what to do. Nothing stays bound then.
pub fn bind(settings: &Settings) -> Result<Vec<Bound>, ListenError> {
    [(Listener::Http, settings.http), (Listener::Https, settings.https), (Listener::Internal, settings.internal)]
        .into_iter()
        .filter_map(|(listener, port)| match port {
            Port::Off => None,
            Port::Number(port) => Some((listener, SocketAddr::new(settings.bind, port))),
        })
        .map(|(listener, address)| {
            bind_one(listener, address, settings.workers).map_err(|error| ListenError { listener, address, error })
        })
        .collect()
}

fn bind_one(listener: Listener, address: SocketAddr, workers: usize) -> io::Result<Bound> {
    // Another program with SO_REUSEPORT, even a pmesh, would share the port with us unnoticed. Without the option the
    // kernel tells; the socket is closed again before it listens.
    if address.port() != 0 {
        open(address)?.bind(&address.into())?;
    }
    let mut sockets = Vec::with_capacity(workers);
    let mut bound = address;
    for _ in 0..workers {
        let socket = open(bound)?;
        socket.set_reuse_port(true)?;
        socket.bind(&bound.into())?;
        socket.listen(BACKLOG)?;
        let socket: TcpListener = socket.into();
        bound = socket.local_addr()?;
        sockets.push(socket);
    }
    Ok(Bound { listener, address: bound, sockets })
}

fn open(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // "::" takes IPv4 clients, too, whatever the system's default.
        socket.set_only_v6(false)?;
    }
    // Accepted connections inherit all three.
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(UNSENT)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A listener that cannot be bound.
#[derive(Debug)]
pub struct ListenError {
    listener: Listener,
    address: SocketAddr,
    error: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, address, port) = (self.listener.name(), self.address, self.address.port());
        write!(f, "cannot listen on {address} ({name}): ")?;
        match self.error.kind() {
            io::ErrorKind::AddrInUse => write!(
                f,
                "the port is taken\n  `ss -ltnp 'sport = :{port}'` shows by whom; another port is chosen with \
                 --{name} PORT or PMESH_{}",
                name.to_uppercase()
            ),
            io::ErrorKind::PermissionDenied => write!(
                f,
                "ports below 1024 need permission\n  give it with `setcap cap_net_bind_service=+ep` on the program or \
                 `sysctl net.ipv4.ip_unprivileged_port_start={port}`, or choose a higher port: --{name} {}",
                u32::from(port) + 8000
            ),
            io::ErrorKind::AddrNotAvailable => f.write_str(
                "this machine does not have the address\n  another one is chosen with --bind IP or PMESH_BIND",
            ),
            _ => write!(f, "{}", self.error),
        }
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use socket2::SockRef;

    use super::*;

    #[test]
    fn little_is_kept_for_an_accepted_client() {
        let bound = bind_one(Listener::Http, SocketAddr::from(([127, 0, 0, 1], 0)), 1).unwrap();
        bound.sockets[0].set_nonblocking(false).unwrap();
        let _client = std::net::TcpStream::connect(bound.address).unwrap();
        let (accepted, _) = bound.sockets[0].accept().unwrap();
        assert_eq!(SockRef::from(&accepted).tcp_notsent_lowat().unwrap(), UNSENT);
    }
}
