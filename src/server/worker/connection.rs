//! Serves a connection from its first byte to its last.

use std::{
    error::Error,
    net::SocketAddr,
    sync::{Arc, OnceLock, atomic::Ordering},
};

use futures_util::FutureExt;
use pmesh_layers::{
    conn::{ConnInfo, Control},
    host::HostName,
    node::NodeRejected,
    serve::{Ended, Protocol},
    silence::{self, IntoRaw},
    sni::SniAcceptor,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};

use super::listener::WorkerListener;
use crate::{
    admission::{client_stream::ClientStream, strangers::Stranger},
    http::stack::Stack,
    settings::{H2c, Listener},
    telemetry::causes::with_causes,
};

impl<S: Stack> WorkerListener<S> {
    /// Not an `async fn`, which would store the connection twice.
    pub(super) fn plain(
        self: Arc<Self>,
        stream: Box<ClientStream>,
        info: ConnInfo,
    ) -> impl Future<Output = ()> + Send + use<S> {
        let generation = self.worker.process.current();
        let protocol = match generation.settings.h2c(&self.listener) {
            H2c::Off => Protocol::Http1,
            H2c::Silent => Protocol::Detect,
            H2c::Open => Protocol::DetectOpen,
        };
        self.worker.connections().add(info.control());
        let served = generation.server.serve(stream, info.clone(), protocol, self.stack.clone());
        served.map(move |ended| {
            let (peer, control) = (info.peer(), info.control());
            let count_rejection = |reason| self.count_rejection(peer, reason, None, error(&ended));
            match &ended {
                // The stack has already counted it.
                Ended::Silenced => {}
                _ if control.was_crowded_out() => count_rejection("crowded_out"),
                Ended::SilenceDeadline => count_rejection("deadline"),
                // No request reached the stack, so it has not counted anything.
                Ended::Failed(_) | Ended::Finished | Ended::Flooded | Ended::Withheld if !control.is_open() => {
                    count_rejection("no_request");
                }
                ended => log_failed(&self.listener, peer, ended),
            }
            tracing::trace!(%peer, ?ended, "connection");
        })
    }

    pub(super) async fn tls(self: Arc<Self>, stream: ClientStream, peer: SocketAddr, gate: Control) {
        let worker = &self.worker;
        worker.handshakes.fetch_add(1, Ordering::Relaxed);
        let stranger = stream.stranger();
        let unserved = OnceLock::new();
        // The generation is looked up only when the client sends the name. That can be long after it connected, so the
        // generation may have changed.
        let certificates = |name: &HostName| {
            let config = worker.process.current().server_config(&self.listener, name);
            match config {
                Some(_) => gate.open_gate(),
                None => drop(unserved.set(name.clone())),
            }
            config
        };
        let deadline = worker.process.current().settings.silence_deadline;
        let accepted = SniAcceptor::new(certificates).accept(stream, deadline).await;
        let connection = accepted.map(|(stream, name)| {
            let info = ConnInfo::tls(peer, name);
            worker.connections().add(info.control());
            (stream, info)
        });
        worker.handshakes.fetch_sub(1, Ordering::Relaxed);
        match connection {
            Ok((stream, info)) => {
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let protocol = if http2 { Protocol::Http2 } else { Protocol::Http1 };
                // In a new task, so that the memory of the handshake is not kept for as long as the connection is open.
                tokio::spawn(self.secured(Box::new(stream), info, protocol));
            }
            Err(rejected) => {
                let reason = reason(stranger.as_deref(), rejected.reason.reason());
                self.count_rejection(peer, reason, unserved.get(), Some(&rejected.reason));
                silence::close(rejected.io).await;
            }
        }
    }

    /// Not an `async fn` either, for the same reason.
    fn secured<IO>(
        self: Arc<Self>,
        stream: IO,
        info: ConnInfo,
        protocol: Protocol,
    ) -> impl Future<Output = ()> + Send + use<IO, S>
    where
        IO: AsyncRead + AsyncWrite + IntoRaw + Unpin + Send + 'static,
    {
        let generation = self.worker.process.current();
        let served = generation.server.serve(stream, info.clone(), protocol, self.stack.clone());
        served.map(move |ended| {
            log_failed(&self.listener, info.peer(), &ended);
            tracing::trace!(peer = %info.peer(), ?ended, "connection");
        })
    }

    /// Serves another node over HTTP/2, once it has proved that it knows the secret. When that secret is no longer
    /// accepted, the connection is drained as on shutdown.
    pub(super) async fn internal(self: Arc<Self>, stream: ClientStream, peer: SocketAddr, gate: Control) {
        let worker = &self.worker;
        worker.handshakes.fetch_add(1, Ordering::Relaxed);
        let stranger = stream.stranger();
        let deadline = worker.process.current().settings.silence_deadline;
        let accepted = worker.nodes.accept(stream, deadline).await;
        let connection = accepted.map(|(mut stream, name, term)| {
            gate.open_gate();
            stream.get_mut().0.give_back_slot();
            let info = ConnInfo::node(peer, name);
            worker.connections_of_nodes().add(info.control());
            (stream, info, term)
        });
        worker.handshakes.fetch_sub(1, Ordering::Relaxed);
        match connection {
            Ok((stream, info, mut term)) => {
                let control = info.control().clone();
                let served =
                    worker.process.current().node_server.serve(stream, info, Protocol::Http2, self.stack.clone());
                // In its own task, so that watching the secret costs nothing per request.
                let mut serving = tokio::spawn(served);
                let ended = tokio::select! {
                    ended = &mut serving => ended.ok(),
                    () = term.ended() => {
                        control.drain();
                        let grace = worker.process.current().settings.shutdown_timeout;
                        let ended = timeout(grace, &mut serving).await;
                        serving.abort();
                        ended.ok().and_then(Result::ok)
                    }
                };
                tracing::trace!(%peer, ?ended, "connection of a node");
            }
            Err(rejected) => {
                if let NodeRejected::Clock { ahead_by } = rejected.reason {
                    let window = worker.process.current().settings.mesh.clock_window;
                    worker.process.clocks.warn(peer.ip().to_canonical(), ahead_by, window);
                }
                let reason = reason(stranger.as_deref(), rejected.reason.reason());
                self.count_rejection(peer, reason, None, Some(&rejected.reason));
                silence::close(rejected.io).await;
            }
        }
    }

    /// Counts a rejected connection. Only the debug log mentions it.
    pub(super) fn count_rejection(
        &self,
        peer: SocketAddr,
        reason: &'static str,
        host: Option<&HostName>,
        error: Option<&(dyn Error + 'static)>,
    ) {
        self.worker.counters.reject(reason);
        tracing::debug!(
            peer = %SocketAddr::new(peer.ip().to_canonical(), peer.port()),
            listener = self.listener.name(),
            reason,
            host = host.map(tracing::field::display),
            error = error.map(with_causes).map(tracing::field::display),
            "silence"
        );
    }
}

fn reason(stranger: Option<&Stranger>, reason: &'static str) -> &'static str {
    if stranger.is_some_and(Stranger::was_crowded_out) { "crowded_out" } else { reason }
}

fn error(ended: &Ended) -> Option<&(dyn Error + 'static)> {
    match ended {
        Ended::Failed(error) => Some(error),
        _ => None,
    }
}

/// Logs a failed connection, which the access log does not show: the HTTP server sends 400 and 431 itself.
fn log_failed(listener: &Listener, peer: SocketAddr, ended: &Ended) {
    if let Some(error) = error(ended) {
        tracing::debug!(%peer, listener = listener.name(), error = %with_causes(error), "connection failed");
    }
}
