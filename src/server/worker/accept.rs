//! Accepts connections on a socket until it is closed.

use std::{io, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use pmesh_layers::{conn::ConnInfo, silence};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

use super::{listener::WorkerListener, socket::Stop};
use crate::{
    admission::{
        Slot, Verdict,
        client_stream::{self, ClientStream},
        exhaustion::{Exhaustion, Transition},
    },
    http::stack::Stack,
    server::process::Process,
    settings::ListenerKind,
};

/// How long to pause after an error that would also affect the next connection, such as a lack of descriptors or
/// memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How many pending connections are still accepted on shutdown.
const ACCEPTED_AFTER_STOP: usize = 4096;

impl<S: Stack> WorkerListener<S> {
    /// Accepts connections until `stop` is set, and then the ones that are already pending, up to a limit.
    pub(super) async fn accept(self: &Arc<Self>, socket: &TcpListener, mut stop: Stop) {
        let is_for_nodes = self.listener.kind() == ListenerKind::Nodes;
        let Process { admission, exhaustion, .. } = &*self.worker.process;
        let mut left_after_stop = ACCEPTED_AFTER_STOP;
        loop {
            // Descriptors for nodes come first: hold them back again before a client gets one.
            let ready = if is_for_nodes { Ok(()) } else { admission.spare_descriptors().restore() };
            let accepted = match ready {
                Err(error) => Err(error),
                Ok(()) => tokio::select! {
                    // Accept first: clients that connected before the shutdown are still served.
                    biased;
                    accepted = socket.accept() => accepted,
                    () = stop.wait() => return,
                },
            };
            match accepted {
                Ok((stream, peer)) => {
                    self.note(exhaustion.accepted(), None);
                    // At the connection limit, this connection waits here and later ones wait in the kernel.
                    let slot = tokio::select! {
                        biased;
                        slot = self.slot() => Some(slot),
                        () = stop.wait() => None,
                    };
                    match slot {
                        Some(slot) => self.start(stream, peer, slot),
                        None => return client_stream::leave(&stream),
                    }
                }
                Err(error) if Exhaustion::affects_one_connection(&error) => {}
                // Pending connections must not keep established ones from shutting down.
                Err(_) if stop.is_set() => return,
                Err(error) if is_for_nodes && admission.spare_descriptors().free_incoming(&error) => {}
                Err(error) => {
                    self.note(exhaustion.failed(), Some(&error));
                    let is_exhausted = Exhaustion::is_cause_of(&error);
                    match is_exhausted.then(|| admission.make_room(self.worker.index)).flatten() {
                        Some(closing) => closing.closed(ACCEPT_PAUSE).await,
                        None => sleep(ACCEPT_PAUSE).await,
                    }
                }
            }
            if stop.is_set() {
                left_after_stop -= 1;
                if left_after_stop == 0 {
                    return;
                }
            }
        }
    }

    async fn slot(&self) -> Slot {
        let Process { admission, .. } = &*self.worker.process;
        match self.listener.kind() {
            ListenerKind::Plain | ListenerKind::Tls => admission.slot(self.worker.index).await,
            ListenerKind::Nodes => admission.slot_for_node(self.worker.index).await,
        }
    }

    fn note(&self, transition: Option<Transition>, error: Option<&io::Error>) {
        let listener = self.listener.name();
        match transition {
            None => {}
            Some(Transition::Exhausted) => {
                let error = error.map(tracing::field::display);
                tracing::warn!(listener, error, "cannot accept a connection");
            }
            Some(Transition::Recovered) => tracing::info!(listener, "connections are accepted again"),
        }
    }

    fn start(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, mut slot: Slot) {
        self.worker.counters.connections.add();
        let Process { admission, .. } = &*self.worker.process;
        let verdict = admission.admit(&mut slot, peer.ip());
        // A connection without TLS uses this for its requests, one with TLS for the handshake only.
        let info = ConnInfo::plain(peer);
        let gate = info.control();
        let strangers = match self.listener.kind() {
            ListenerKind::Plain | ListenerKind::Tls => admission.room().strangers(),
            ListenerKind::Nodes => admission.room().strangers_among_nodes(),
        };
        let stream = ClientStream::new(stream, slot, strangers.add(self.worker.index, gate.clone()));
        if verdict != Verdict::Serve {
            self.count_rejection(peer, "too_many_connections", None, None);
            if verdict == Verdict::Silence {
                tokio::spawn(silence::close(stream));
            }
            return;
        }
        let listener = Arc::clone(self);
        match self.listener.kind() {
            ListenerKind::Plain => drop(tokio::spawn(listener.plain(Box::new(stream), info))),
            ListenerKind::Tls => drop(tokio::spawn(listener.tls(stream, peer, gate.clone()))),
            ListenerKind::Nodes => drop(tokio::spawn(listener.internal(stream, peer, gate.clone()))),
        }
    }
}

/// Accepts until `accept` returns. A panic is a bug, but must not keep later connections out.
pub(super) async fn restart_after_panic(listener: String, mut accept: impl AsyncFnMut()) {
    while AssertUnwindSafe(accept()).catch_unwind().await.is_err() {
        tracing::error!(listener, "accepting connections panicked and was restarted; this is a bug");
        sleep(ACCEPT_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_panic_does_not_stop_accepting() {
        let mut calls = 0;
        let accept = async || {
            calls += 1;
            tokio::task::yield_now().await;
            assert_eq!(calls, 3, "a bug");
        };
        restart_after_panic("http".to_owned(), accept).await;
        assert_eq!(calls, 3);
    }
}
