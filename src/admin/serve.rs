//! Serves the admin API.

use std::{io, sync::Arc, time::Duration};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener},
    time::sleep,
};

use super::{
    Node, Socket,
    api::{router, router_for_tcp},
    socket::{Bound, SocketFile},
};
use crate::admission::Admission;

/// How long to pause when no connection can be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves the API on `socket` until the future is dropped, which also removes the file of a Unix socket. While clients
/// hold all other descriptors, connections use the ones that are held back for them.
///
/// # Errors
///
/// If the runtime cannot use the socket.
pub async fn serve(socket: Socket, node: Arc<dyn Node>, admission: Arc<Admission>) -> io::Result<()> {
    let (listener, router) = match socket.0 {
        Bound::Unix(listener, file) => (Accepting::Unix(UnixListener::from_std(listener)?, file), router(node)),
        Bound::Tcp(listener) => (Accepting::Tcp(TcpListener::from_std(listener)?), router_for_tcp(node)),
    };
    axum::serve(Admin { listener, admission }, router).await
}

struct Admin {
    listener: Accepting,
    admission: Arc<Admission>,
}

enum Accepting {
    Unix(UnixListener, #[expect(dead_code, reason = "removes the file when it is dropped")] SocketFile),
    Tcp(TcpListener),
}

/// A connection to the admin API, of either kind.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl Accepting {
    async fn next(&self) -> io::Result<Box<dyn Connection>> {
        Ok(match self {
            Self::Unix(listener, _) => Box::new(listener.accept().await?.0),
            Self::Tcp(listener) => Box::new(listener.accept().await?.0),
        })
    }
}

impl Listener for Admin {
    type Io = Box<dyn Connection>;
    /// Not needed.
    type Addr = ();

    async fn accept(&mut self) -> (Self::Io, ()) {
        loop {
            match self.listener.next().await {
                Ok(connection) => return (connection, ()),
                Err(error) if self.admission.spare_descriptors().free_incoming(&error) => {}
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}
