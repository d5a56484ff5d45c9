//! The main loop of a worker: it accepts on each socket it gets and, on shutdown, lets requests in flight finish.

use std::{
    io,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};

use super::{
    accept::restart_after_panic,
    listener::WorkerListener,
    socket::{Socket, Stop},
    state::Worker,
};
use crate::http::stack::Stack;

/// How long handshakes get to finish on shutdown. Requests get `shutdown_timeout`.
const HANDSHAKES: Duration = Duration::from_secs(1);
/// The time that copies for mirrors get after the last request. No client waits for them.
const COPIES: Duration = Duration::from_secs(1);

impl<S: Stack> Worker<S> {
    pub(super) async fn run(
        self: Arc<Self>,
        mut sockets: mpsc::UnboundedReceiver<Socket>,
        stop: watch::Receiver<bool>,
    ) {
        let mut stopped = stop.clone();
        let mut accepting = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                biased;
                Some(socket) = sockets.recv() => {
                    let name = socket.listener.name().to_owned();
                    match self.accept_at(socket, &stop) {
                        Ok(accept) => drop(accepting.spawn(accept)),
                        Err(error) => tracing::error!(listener = name, %error, "cannot accept connections"),
                    }
                }
                Some(_) = accepting.join_next() => {}
                // An error means that the sender is gone, so stop as well.
                _ = stopped.wait_for(|stop| *stop) => break,
            }
        }
        while accepting.join_next().await.is_some() {}
        self.drain().await;
    }

    fn accept_at(
        self: &Arc<Self>,
        socket: Socket,
        stop: &watch::Receiver<bool>,
    ) -> io::Result<impl Future<Output = ()> + Send + use<S>> {
        let Socket { listener, socket, closed, alive } = socket;
        let stop = Stop { all: stop.clone(), socket: closed, _alive: alive };
        let socket = tokio::net::TcpListener::from_std(socket)?;
        let name = listener.name().to_owned();
        let listener = WorkerListener::new(self, listener);
        let accept = async move || listener.accept(&socket, stop.clone()).await;
        Ok(restart_after_panic(name, accept))
    }

    /// Lets requests in flight finish.
    async fn drain(&self) {
        let start = Instant::now();
        let open = [self.connections(), self.connections_of_nodes()];
        open.iter().for_each(|connections| connections.drain());
        let mut only_copies_since = None;
        while start.elapsed() < self.process.current().settings.shutdown_timeout {
            let handshakes = self.handshakes.load(Ordering::Relaxed) > 0 && start.elapsed() < HANDSHAKES;
            if !handshakes && open.iter().all(|connections| connections.is_empty()) {
                let since = *only_copies_since.get_or_insert_with(Instant::now);
                if self.process.current().routes.mirrored().in_flight() == 0 || since.elapsed() >= COPIES {
                    return;
                }
            }
            sleep(Duration::from_millis(10)).await;
        }
        let left = open.iter().map(|connections| connections.len()).sum::<usize>();
        if left == 0 {
            return;
        }
        tracing::warn!(connections = left, "shutdown_timeout has passed: closing connections with requests in flight");
    }
}
