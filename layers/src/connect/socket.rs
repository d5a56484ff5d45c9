//! One socket: bound to a source, connected to a destination.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpSocket, TcpStream};

#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) nodelay: bool,
    pub(super) keepalive: Option<Duration>,
}

/// Distinguishes a failed bind, which is a problem of this system, from a failed connect, which is one of the
/// destination.
pub(super) enum Error {
    Bind(io::Error),
    Connect(io::Error),
}

impl Error {
    pub(super) fn into_io(self) -> io::Error {
        match self {
            Self::Bind(error) | Self::Connect(error) => error,
        }
    }
}

pub(super) async fn connect(
    destination: SocketAddr,
    source: Option<IpAddr>,
    options: &Options,
) -> Result<TcpStream, Error> {
    let socket = open(destination, options).map_err(Error::Connect)?;
    if let Some(source) = source {
        bind(&socket, source).map_err(Error::Bind)?;
    }
    TcpSocket::from_std_stream(socket.into()).connect(destination).await.map_err(Error::Connect)
}

fn open(destination: SocketAddr, options: &Options) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(destination), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if options.nodelay {
        socket.set_tcp_nodelay(true)?;
    }
    if let Some(idle) = options.keepalive {
        socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))?;
    }
    Ok(socket)
}

fn bind(socket: &Socket, source: IpAddr) -> io::Result<()> {
    // Without this option, the kernel picks the port at bind. It then has to be free for every destination, and the
    // search takes long when many are taken. With the option, the kernel picks the port at connect, and it only has to
    // be free for this destination.
    #[cfg(target_os = "linux")]
    nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::IpBindAddressNoPort, &true)?;
    socket.bind(&SocketAddr::new(source, 0).into())
}
