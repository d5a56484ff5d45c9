//! The listening sockets. All of them are bound before anything is served.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use super::listen_error::ListenError;
use crate::settings::Listener;

/// Maximum number of pending connections. The kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// How many ports the kernel may pick to find one that is free on all addresses of a listener.
const PICKS: usize = 16;

/// The idle time after which the kernel probes the peer. Without probes, pmesh would wait for a client that vanished
/// during a slow request or while a tunnel was open.
pub const KEEPALIVE: Duration = Duration::from_secs(60);

/// How many bytes can wait in the kernel beyond what the client has room for. Without this limit, the kernel buffers a
/// few MiB for a slow reader, which makes the reader look active, and data that waits there drops out of the processor's
/// cache before it is sent. 1 MB over TLS takes 420 µs instead of 530, and 480 with four times this value.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 16 * 1024;

/// The sockets of a listener on one address, one per worker.
#[derive(Debug)]
pub struct Bound {
    /// The listener.
    pub listener: Listener,
    /// The address, with the port that the kernel picked for 0.
    pub address: SocketAddr,
    /// One socket per worker.
    pub sockets: Vec<TcpListener>,
}

/// Binds each of `listeners`, with a socket per worker. If the kernel picks the port, it is the same on all addresses
/// of a listener. `own` are the ports that this process already listens on and can share with itself.
///
/// # Errors
///
/// [`ListenError`] says which listener failed, why, and what to do. On an error, no port stays bound.
pub fn bind(listeners: &[(Listener, SocketAddr)], workers: usize, own: &[u16]) -> Result<Vec<Bound>, ListenError> {
    let mut bound = Vec::new();
    for addresses in listeners.chunk_by(|one, next| one.0 == next.0) {
        let one = bind_addresses(addresses, workers, own);
        bound.extend(one.map_err(|(listener, address, error)| ListenError::new(listener, address, error, listeners))?);
    }
    Ok(bound)
}

type Failed = (Listener, SocketAddr, io::Error);

/// Binds one listener to all its addresses.
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
            // The port that the kernel picked on one address is in use on another: try again.
            Err((listener, address, error))
                if error.kind() == io::ErrorKind::AddrInUse
                    && addresses.contains(&(listener.clone(), SocketAddr::new(address.ip(), 0)))
                    && tries.next().is_some() => {}
            result => return result,
        }
    }
}

fn bind_one(listener: &Listener, address: SocketAddr, workers: usize, own: &[u16]) -> io::Result<Bound> {
    // With SO_REUSEPORT, another program, even another pmesh, could share the port unnoticed. Binding without the
    // option shows whether the port is free. This socket is closed again before it listens.
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
        // "::" accepts IPv4 clients as well, whatever the system's default.
        socket.set_only_v6(false)?;
    }
    // Accepted connections inherit the next three options.
    #[cfg(target_os = "linux")]
    socket.set_tcp_notsent_lowat(UNSENT)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use socket2::SockRef;

    use super::*;

    #[test]
    fn a_picked_port_is_the_same_on_all_addresses() {
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
    fn an_accepted_client_inherits_the_limit_on_unsent_bytes() {
        let bound = bind_one(&Listener::Http, SocketAddr::from(([127, 0, 0, 1], 0)), 1, &[]).unwrap();
        bound.sockets[0].set_nonblocking(false).unwrap();
        let _client = std::net::TcpStream::connect(bound.address).unwrap();
        let (accepted, _) = bound.sockets[0].accept().unwrap();
        assert_eq!(SockRef::from(&accepted).tcp_notsent_lowat().unwrap(), UNSENT);
    }
}
