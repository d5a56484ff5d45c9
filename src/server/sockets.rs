//! The listening sockets: all of them are bound before anything is served.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use crate::settings::Listener;

/// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// How many ports the kernel may pick until one is free on all addresses.
const PICKS: usize = 16;

/// After so much silence the kernel asks whether a peer is still there: a client that vanished from a tunnel, or from a
/// request that takes long, would else be waited for.
pub const KEEPALIVE: Duration = Duration::from_secs(60);

/// What may wait in the kernel beyond what a client takes at present, in bytes: it would keep some MiB for a client that
/// reads slowly, who would look as if he read, and what was written long before it is sent has left the processor's cache.
/// 1 MB over TLS takes 420 µs instead of 530, and 480 with four times as much.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 16 * 1024;

/// The sockets of a listener on one address: one for each worker.
#[derive(Debug)]
pub struct Bound {
    /// Which one.
    pub listener: Listener,
    /// The address, with the port that the kernel picked for 0.
    pub address: SocketAddr,
    /// The sockets.
    pub sockets: Vec<TcpListener>,
}

/// Binds each of `listeners`, a socket for each worker. Where the kernel picks the port, it is the same on all addresses
/// of a listener. `own` are the ports that this process listens on already: it may share them with itself.
///
/// # Errors
///
/// [`ListenError`] says which listener, why and what to do. Nothing stays bound then.
pub fn bind(listeners: &[(Listener, SocketAddr)], workers: usize, own: &[u16]) -> Result<Vec<Bound>, ListenError> {
    let mut bound = Vec::new();
    for addresses in listeners.chunk_by(|one, next| one.0 == next.0) {
        let one = bind_addresses(addresses, workers, own).map_err(|(listener, address, error)| {
            let spare_port = spare_port(address.port(), listeners);
            ListenError { listener, address, spare_port, error }
        })?;
        bound.extend(one);
    }
    Ok(bound)
}

type Failed = (Listener, SocketAddr, io::Error);

/// Binds one listener to its addresses.
fn bind_addresses(addresses: &[(Listener, SocketAddr)], workers: usize, own: &[u16]) -> Result<Vec<Bound>, Failed> {
    let mut tries = 0..PICKS;
    loop {
        let mut picked = 0;
        let bound = addresses.iter().map(|(listener, address)| {
            let mut address = *address;
            if address.port() == 0 {
                address.set_port(picked);
            }
            let bound =
                bind_one(listener, address, workers, own).map_err(|error| (listener.clone(), address, error))?;
            picked = bound.address.port();
            Ok(bound)
        });
        match bound.collect() {
            // The port that the kernel picked on one address is taken on another.
            Err((listener, address, error))
                if error.kind() == io::ErrorKind::AddrInUse
                    && addresses.contains(&(listener.clone(), SocketAddr::new(address.ip(), 0)))
                    && tries.next().is_some() => {}
            result => return result,
        }
    }
}

/// A port to suggest instead of one that cannot be used: one that no other listener has.
fn spare_port(port: u16, listeners: &[(Listener, SocketAddr)]) -> u16 {
    let mut ports = match port {
        0..1024 => [8000, 9000, 10_000, 11_000].map(|offset| port + offset),
        _ => [1, 2, 3, 4].map(|offset| port.wrapping_add(offset).max(1024)),
    }
    .into_iter();
    let is_free = |port: &u16| listeners.iter().all(|(_, address)| address.port() != *port);
    ports.find(is_free).unwrap_or(port)
}

fn bind_one(listener: &Listener, address: SocketAddr, workers: usize, own: &[u16]) -> io::Result<Bound> {
    // Another program with SO_REUSEPORT, even a pmesh, would share the port with us unnoticed. Without the option the
    // kernel tells; the socket is closed again before it listens.
    if address.port() != 0 && !own.contains(&address.port()) {
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
    Ok(Bound { listener: listener.clone(), address: bound, sockets })
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
    /// Another port for it.
    spare_port: u16,
    error: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listener, address, spare_port, .. } = self;
        let port = address.port();
        let (other_port, off) = (setting(listener, &spare_port.to_string()), setting(listener, "off"));
        write!(f, "cannot listen on {address} ({}): ", listener.name())?;
        match self.error.kind() {
            io::ErrorKind::AddrInUse => write!(
                f,
                "the port is taken\n  `ss -ltnp 'sport = :{port}'` shows by whom; choose another port, as in \
                 {other_port}, or turn this listener off with {off}"
            ),
            io::ErrorKind::PermissionDenied => write!(
                f,
                "ports below 1024 need permission\n  give it with `setcap cap_net_bind_service=+ep` on the program or \
                 `sysctl net.ipv4.ip_unprivileged_port_start={port}`; or choose a higher port, as in \
                 {other_port}; or turn this listener off with {off}"
            ),
            io::ErrorKind::AddrNotAvailable => {
                f.write_str("this machine does not have the address\n  name another with ")?;
                if let Listener::Named { name, .. } = listener {
                    write!(f, "`bind` in [listeners.{name}], or for all ports ")?;
                }
                f.write_str("--bind or PMESH_BIND; 0.0.0.0 is every IPv4 address")
            }
            _ => write!(f, "{}", self.error),
        }
    }
}

/// How to set the port of a listener.
fn setting(listener: &Listener, port: &str) -> String {
    let name = listener.name();
    match listener {
        Listener::Named { .. } if port == "off" => format!("port = \"off\" in [listeners.{name}]"),
        Listener::Named { .. } => format!("port = {port} in [listeners.{name}]"),
        _ => format!("--{name} {port}"),
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
    fn the_port_that_the_kernel_picks_is_the_same_on_all_addresses() {
        let on = |listener, ip: [u8; 4]| (listener, SocketAddr::from((ip, 0)));
        let listeners = [
            on(Listener::Http, [127, 0, 0, 1]),
            on(Listener::Http, [127, 0, 0, 2]),
            on(Listener::Https, [127, 0, 0, 1]),
        ];
        let bound = bind(&listeners, 2, &[]).unwrap();
        let ports: Vec<_> = bound.iter().map(|one| one.address.port()).collect();
        assert!(ports[0] == ports[1] && ports[0] != ports[2] && !ports.contains(&0), "{ports:?}");
        assert!(bound.iter().zip(listeners).all(|(one, wanted)| one.address.ip() == wanted.1.ip()));
        assert!(bound.iter().all(|one| one.sockets.len() == 2));
    }

    #[test]
    fn an_error_says_how_to_move_the_listener_or_turn_it_off() {
        let said = |listener, port, kind: io::ErrorKind| {
            let address = SocketAddr::from(([0, 0, 0, 0], port));
            let spare_port = spare_port(port, &[(Listener::clone(&listener), address)]);
            ListenError { listener, address, spare_port, error: kind.into() }.to_string()
        };
        assert_eq!(
            said(Listener::Internal, 8443, io::ErrorKind::AddrInUse),
            "cannot listen on 0.0.0.0:8443 (internal): the port is taken\n  `ss -ltnp 'sport = :8443'` shows by whom; choose \
             another port, as in --internal 8444, or turn this listener off with --internal off"
        );
        let federation = || Listener::Named { name: "federation".into(), tls: true };
        assert_eq!(
            said(federation(), 8448, io::ErrorKind::AddrInUse),
            "cannot listen on 0.0.0.0:8448 (federation): the port is taken\n  `ss -ltnp 'sport = :8448'` shows by whom; \
             choose another port, as in port = 8449 in [listeners.federation], or turn this listener off with port = \
             \"off\" in [listeners.federation]"
        );
        assert_eq!(
            said(federation(), 8448, io::ErrorKind::AddrNotAvailable),
            "cannot listen on 0.0.0.0:8448 (federation): this machine does not have the address\n  name another with \
             `bind` in [listeners.federation], or for all ports --bind or PMESH_BIND; 0.0.0.0 is every IPv4 address"
        );
        assert_eq!(
            said(Listener::Http, 80, io::ErrorKind::PermissionDenied),
            "cannot listen on 0.0.0.0:80 (http): ports below 1024 need permission\n  give it with `setcap \
             cap_net_bind_service=+ep` on the program or `sysctl net.ipv4.ip_unprivileged_port_start=80`; or choose a \
             higher port, as in --http 8080; or turn this listener off with --http off"
        );
    }

    #[test]
    fn an_error_suggests_a_port_that_no_other_listener_has() {
        let on = |listener, port| (listener, SocketAddr::from(([0, 0, 0, 0], port)));
        let listeners = [on(Listener::Http, 80), on(Listener::Https, 443), on(Listener::Internal, 8443)];
        for (port, expected) in [(80, 8080), (443, 9443), (8443, 8444), (u16::MAX, 1024)] {
            assert_eq!(spare_port(port, &listeners), expected);
        }
    }

    #[test]
    fn little_is_kept_for_an_accepted_client() {
        let bound = bind_one(&Listener::Http, SocketAddr::from(([127, 0, 0, 1], 0)), 1, &[]).unwrap();
        bound.sockets[0].set_nonblocking(false).unwrap();
        let _client = std::net::TcpStream::connect(bound.address).unwrap();
        let (accepted, _) = bound.sockets[0].accept().unwrap();
        assert_eq!(SockRef::from(&accepted).tcp_notsent_lowat().unwrap(), UNSENT);
    }
}
