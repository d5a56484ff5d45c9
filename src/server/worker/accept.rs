//! Accepting connections at a socket until it is closed.

use std::{io, net::SocketAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use pmesh_layers::{conn::ConnInfo, silence};
use tokio::{
    net::{TcpListener, TcpStream},
    time::sleep,
};

use super::{socket::Stop, state::Worker};
use crate::{
    admission::{
        Place, Verdict,
        client_stream::{self, ClientStream},
        exhaustion::{Exhaustion, News},
    },
    http::stack::Stack,
    server::process::Process,
    settings::{Listener, ListenerKind},
};

/// How long to wait after accepting has failed for all connections, as for lack of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections that are still accepted after the stop, because they were waiting.
const ACCEPTED_AFTER_STOP: usize = 4096;

impl<S: Stack> Worker<S> {
    /// Accepts the connections of a socket until it is to stop, those that are already waiting included.
    pub(super) async fn accept(self: &Arc<Self>, listener: &Arc<Listener>, socket: &TcpListener, mut stop: Stop) {
        let is_for_nodes = listener.kind() == ListenerKind::Nodes;
        let Process { admission, exhaustion, .. } = &*self.process;
        let mut left_after_stop = ACCEPTED_AFTER_STOP;
        loop {
            // Descriptors for nodes are held back again before a client gets one.
            let ready = if is_for_nodes { Ok(()) } else { admission.spares().restore() };
            let accepted = match ready {
                Err(error) => Err(error),
                Ok(()) => tokio::select! {
                    // Accepting comes first: clients that have connected before the stop are still served.
                    biased;
                    accepted = socket.accept() => accepted,
                    () = stop.wait() => return,
                },
            };
            match accepted {
                Ok((stream, peer)) => {
                    self.note(listener, exhaustion.accepted(), None);
                    // At the limit, this connection waits here, and later ones wait in the kernel.
                    let place = tokio::select! {
                        biased;
                        place = self.place(listener) => Some(place),
                        () = stop.wait() => None,
                    };
                    match place {
                        Some(place) => self.start(listener, stream, peer, place),
                        None => return client_stream::leave(&stream),
                    }
                }
                Err(error) if Exhaustion::is_of_one_connection(&error) => {}
                // Pending connections would keep established ones from shutting down.
                Err(_) if stop.is_set() => return,
                Err(error) if is_for_nodes && admission.spares().free_incoming(&error) => {}
                Err(error) => {
                    self.note(listener, exhaustion.failed(), Some(&error));
                    let is_exhausted = Exhaustion::is_cause_of(&error);
                    match is_exhausted.then(|| admission.make_room(self.index)).flatten() {
                        Some(leaving) => leaving.gone(ACCEPT_PAUSE).await,
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

    async fn place(&self, listener: &Listener) -> Place {
        match listener.kind() {
            ListenerKind::Plain | ListenerKind::Tls => self.process.admission.place(self.index).await,
            ListenerKind::Nodes => self.process.admission.place_for_node(self.index).await,
        }
    }

    #[expect(clippy::unused_self, reason = "it belongs to accepting")]
    fn note(&self, listener: &Listener, news: Option<News>, error: Option<&io::Error>) {
        let listener = listener.name();
        match news {
            None => {}
            Some(News::Exhausted) => {
                let error = error.map(tracing::field::display);
                tracing::warn!(listener, error, "cannot accept a connection for now");
            }
            Some(News::Recovered) => tracing::info!(listener, "connections are accepted again"),
        }
    }

    fn start(self: &Arc<Self>, listener: &Arc<Listener>, stream: TcpStream, peer: SocketAddr, mut place: Place) {
        self.counters.connections.add();
        let Process { admission, .. } = &*self.process;
        let verdict = admission.admit(&mut place, peer.ip());
        // Of a request where there is no TLS; of the handshake where there is.
        let info = ConnInfo::plain(peer);
        let gate = info.control();
        let strangers = match listener.kind() {
            ListenerKind::Plain | ListenerKind::Tls => admission.room().strangers(),
            ListenerKind::Nodes => admission.room().strangers_among_nodes(),
        };
        let stream = ClientStream::new(stream, place, strangers.add(self.index, gate.clone()));
        if verdict != Verdict::Serve {
            self.turned_away(listener, peer, "too_many_connections", None, None);
            if verdict == Verdict::Silence {
                tokio::spawn(silence::close(stream));
            }
            return;
        }
        let (worker, listener) = (Arc::clone(self), Arc::clone(listener));
        match listener.kind() {
            ListenerKind::Plain => drop(tokio::spawn(worker.plain(listener, Box::new(stream), info))),
            ListenerKind::Tls => drop(tokio::spawn(worker.tls(listener, stream, peer, gate.clone()))),
            ListenerKind::Nodes => drop(tokio::spawn(worker.internal(listener, stream, peer, gate.clone()))),
        }
    }
}

/// Accepts until the stop. A panic is a bug, but must not keep later connections out.
pub(super) async fn again_after_panic(listener: Arc<Listener>, mut accept: impl AsyncFnMut()) {
    while AssertUnwindSafe(accept()).catch_unwind().await.is_err() {
        let listener = listener.name();
        tracing::error!(listener, "accepting connections has panicked and was started again; this is a bug");
        sleep(ACCEPT_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_panic_does_not_end_accepting() {
        let mut calls = 0;
        let accept = async || {
            calls += 1;
            tokio::task::yield_now().await;
            assert_eq!(calls, 3, "a bug");
        };
        again_after_panic(Arc::new(Listener::Http), accept).await;
        assert_eq!(calls, 3);
    }
}
