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
    settings::Listener,
};

/// How long to wait after accepting has failed for all connections, as for lack of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Connections that are still accepted after the stop, because they were waiting.
const ACCEPTED_AFTER_STOP: usize = 4096;

impl<S: Stack> Worker<S> {
    /// Accepts the connections of a socket until it is to stop, those that are already waiting included.
    pub(super) async fn accept(self: &Arc<Self>, listener: Listener, socket: &TcpListener, mut stop: Stop) {
        let Process { admission, exhaustion, .. } = &*self.process;
        let mut left_after_stop = ACCEPTED_AFTER_STOP;
        loop {
            // Descriptors for nodes are held back again before a client gets one.
            let ready = if listener == Listener::Internal { Ok(()) } else { admission.spares().restore() };
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
                Err(error) if listener == Listener::Internal && admission.spares().free_incoming(&error) => {}
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

    async fn place(&self, listener: Listener) -> Place {
        match listener {
            Listener::Http | Listener::Https => self.process.admission.place(self.index).await,
            Listener::Internal => self.process.admission.place_for_node(self.index).await,
        }
    }

    #[expect(clippy::unused_self, reason = "it belongs to accepting")]
    fn note(&self, listener: Listener, news: Option<News>, error: Option<&io::Error>) {
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

    fn start(self: &Arc<Self>, listener: Listener, stream: TcpStream, peer: SocketAddr, mut place: Place) {
        self.counters.connections.add();
        let Process { admission, .. } = &*self.process;
        let verdict = admission.admit(&mut place, peer.ip());
        // Of a request on http; of the handshake on the others.
        let info = ConnInfo::plain(peer);
        let gate = info.control();
        let strangers = match listener {
            Listener::Http | Listener::Https => admission.room().strangers(),
            Listener::Internal => admission.room().strangers_among_nodes(),
        };
        let stream = ClientStream::new(stream, place, strangers.add(self.index, gate.clone()));
        if verdict != Verdict::Serve {
            self.turned_away(listener, peer, "too_many_connections", None, None);
            if verdict == Verdict::Silence {
                tokio::spawn(silence::close(stream));
            }
            return;
        }
        let worker = Arc::clone(self);
        match listener {
            Listener::Http => drop(tokio::spawn(worker.plain(Box::new(stream), info))),
            Listener::Https => drop(tokio::spawn(worker.tls(stream, peer, gate.clone()))),
            Listener::Internal => drop(tokio::spawn(worker.internal(stream, peer, gate.clone()))),
        }
    }
}

/// Accepts until the stop. A panic is a bug, but must not keep later connections out.
pub(super) async fn again_after_panic(listener: Listener, mut accept: impl AsyncFnMut()) {
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
        again_after_panic(Listener::Http, accept).await;
        assert_eq!(calls, 3);
    }
}
