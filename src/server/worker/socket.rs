//! A worker's listening socket, and the signal to stop accepting on it.

use std::{net::TcpListener, sync::Arc};

use tokio::sync::watch;

use crate::settings::Listener;

/// A listening socket of one worker.
#[derive(Debug)]
pub struct Socket {
    /// The listener it belongs to.
    pub listener: Listener,
    /// The socket.
    pub socket: TcpListener,
    /// Becomes true when the listener is closed.
    pub closed: watch::Receiver<bool>,
    /// Held while the socket is open.
    pub alive: Arc<()>,
}

/// The signal to stop accepting on a socket.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    pub(super) all: watch::Receiver<bool>,
    pub(super) socket: watch::Receiver<bool>,
    pub(super) _alive: Arc<()>,
}

impl Stop {
    /// Waits for the signal.
    pub(super) async fn wait(&mut self) {
        tokio::select! {
            // An error means that the sender is gone, so stop as well.
            _ = self.all.wait_for(|stop| *stop) => {}
            // An error means that this socket can no longer be closed separately, so only `all` counts.
            Ok(_) = self.socket.wait_for(|closed| *closed) => {}
            else => {}
        }
    }

    pub(super) fn is_set(&self) -> bool {
        *self.all.borrow() || *self.socket.borrow()
    }
}
