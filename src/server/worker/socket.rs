//! A listening socket of a worker, and when to stop accepting there.

use std::{net::TcpListener, sync::Arc};

use tokio::sync::watch;

use crate::settings::Listener;

/// A listening socket of one worker.
#[derive(Debug)]
pub struct Socket {
    /// Whose connections come there.
    pub listener: Listener,
    /// The socket.
    pub socket: TcpListener,
    /// Whether it is to be closed.
    pub closed: watch::Receiver<bool>,
    /// Held for as long as it is open.
    pub alive: Arc<()>,
}

/// Tells when to stop accepting at a socket.
#[derive(Debug, Clone)]
pub(super) struct Stop {
    pub(super) all: watch::Receiver<bool>,
    pub(super) socket: watch::Receiver<bool>,
    pub(super) _alive: Arc<()>,
}

impl Stop {
    /// Waits for it.
    pub(super) async fn wait(&mut self) {
        tokio::select! {
            // An error means that the sender is gone, which means stop as well.
            _ = self.all.wait_for(|stop| *stop) => {}
            // Nobody is left to close this socket alone.
            Ok(_) = self.socket.wait_for(|closed| *closed) => {}
            else => {}
        }
    }

    pub(super) fn is_set(&self) -> bool {
        *self.all.borrow() || *self.socket.borrow()
    }
}
