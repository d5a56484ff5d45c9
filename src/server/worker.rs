//! A worker: a thread with a runtime, listening sockets, a stack and connection pools of its own.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use futures_util::FutureExt;
use http::{Request, Response};
use pmesh_layers::{
    body::RequestBody,
    conn::{ConnInfo, Control},
    connect::Resolver,
    host::HostName,
    node::{NodeAcceptor, NodeIdentity, NodeRejected},
    serve::{Ended, HttpServer, Protocol},
    silence::{self, IntoRaw},
    sni::SniAcceptor,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tower::{BoxError, Service};

use crate::{
    admission::{
        Admission, Place, Verdict,
        client_stream::{self, ClientStream},
        connections::Connections,
        exhaustion::{Exhaustion, News},
        strangers::Stranger,
    },
    certificates::{Certificates, Issuer},
    http::{
        access_log::LoggedBody,
        body::ResponseBody,
        stack::{SharedStack, stack},
    },
    mesh::{Api, Clocks, Peers},
    settings::Listener,
    settings::{H2c, Settings},
    telemetry::{causes::with_causes, counters::Counters},
    upstream::trust::Trust,
};

/// How long to wait after accepting has failed for all connections, as for lack of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Handshakes get this long to end when the worker stops; requests get `shutdown_timeout`.
const HANDSHAKES: Duration = Duration::from_secs(1);

/// Tasks that a worker polls before it asks the system what has come meanwhile, unless none is left to poll: tokio's 61
/// splits a busy worker's requests into groups too small for the kernel's work to stay in the cache. With 1000
/// connections it takes 20 µs a request instead of 26.
const TASKS_BETWEEN_EVENTS: u32 = 1024;

/// What another node adds to the head of a client's request, in bytes.
const MORE_HEAD: u32 = 16 * 1024;

/// Connections that are still accepted after the stop, because they were waiting.
const ACCEPTED_AFTER_STOP: usize = 4096;

/// What all workers share.
#[derive(Debug)]
pub struct Shared {
    /// The settings.
    pub settings: Settings,
    /// Issues certificates for clients.
    pub issuer: Arc<Issuer>,
    /// The certificates of the https listener.
    pub certificates: Certificates,
    /// Which authorities may certify upstreams.
    pub trust: Trust,
    /// Which connections are let in.
    pub admission: Arc<Admission>,
    /// Whether there was something left for the last ones.
    pub exhaustion: Exhaustion,
    /// The identity of this node among others.
    pub identity: NodeIdentity,
    /// The other nodes.
    pub peers: Arc<Peers>,
    /// Those whose clocks are wrong.
    pub clocks: Clocks,
    /// Looks up the names of upstreams and nodes.
    pub resolver: Resolver,
}

/// Starts a worker. It serves `sockets` until `stop` is true, and ends when nothing is in flight any more or the
/// shutdown timeout is over.
///
/// # Errors
///
/// When the system gives no thread or no runtime.
pub fn spawn(
    index: usize,
    sockets: Vec<(Listener, std::net::TcpListener)>,
    shared: Arc<Shared>,
    api: Api,
    counters: Arc<Counters>,
    stop: watch::Receiver<bool>,
) -> Result<thread::JoinHandle<()>, BoxError> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().event_interval(TASKS_BETWEEN_EVENTS).build()?;
    let stack = stack(index, &shared, api, Arc::clone(&counters))?;
    let sockets = {
        let _context = runtime.enter();
        let sockets = sockets.into_iter().map(|(listener, socket)| Ok((listener, TcpListener::from_std(socket)?)));
        sockets.collect::<io::Result<Vec<_>>>()?
    };
    let worker = Arc::new(Worker::new(index, shared, counters, stack));
    let thread = thread::Builder::new().name(format!("worker-{index}"));
    Ok(thread.spawn(move || {
        runtime.block_on(worker.run(sockets, stop));
        // Dropped, it would wait for look-ups of names that nobody waits for any more.
        runtime.shutdown_background();
    })?)
}

struct Worker<S> {
    index: usize,
    shared: Arc<Shared>,
    counters: Arc<Counters>,
    /// TLS connections that are not on record yet.
    handshakes: AtomicUsize,
    server: HttpServer,
    /// For other nodes.
    node_server: HttpServer,
    nodes: NodeAcceptor,
    stack: SharedStack<S>,
}

impl<S> Worker<S>
where
    S: Service<Request<RequestBody>, Response = Response<LoggedBody<ResponseBody>>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    fn new(index: usize, shared: Arc<Shared>, counters: Arc<Counters>, stack: S) -> Self {
        let server = HttpServer::new()
            .extended_connect()
            .silence_deadline(shared.settings.silence_deadline)
            .keep_alive_timeout(shared.settings.keep_alive_timeout)
            .head_timeout(shared.settings.head_timeout)
            .body_timeout(shared.settings.body_timeout)
            .max_head(shared.settings.max_head)
            .max_fields(shared.settings.max_fields)
            .max_streams(shared.settings.max_streams);
        // What a client may say here has to get through there.
        let node_server = server.clone().max_head(shared.settings.max_head.saturating_add(MORE_HEAD)).trusting();
        let nodes = NodeAcceptor::new(shared.identity.clone());
        let handshakes = AtomicUsize::new(0);
        Self { index, shared, counters, handshakes, server, node_server, nodes, stack: SharedStack::new(stack) }
    }

    /// The client connections of this worker.
    fn connections(&self) -> &Connections {
        self.shared.admission.room().connections(self.index)
    }

    /// The connections of other nodes to this worker.
    fn connections_of_nodes(&self) -> &Connections {
        self.shared.admission.room().nodes(self.index)
    }

    async fn run(self: Arc<Self>, sockets: Vec<(Listener, TcpListener)>, mut stop: watch::Receiver<bool>) {
        let mut accepting = Vec::new();
        for (listener, socket) in sockets {
            let (worker, stop) = (Arc::clone(&self), stop.clone());
            let accept = async move || worker.accept(listener, &socket, stop.clone()).await;
            accepting.push(tokio::spawn(again_after_panic(listener, accept)));
        }
        // An error means that the sender is gone, which means stop as well.
        let _ = stop.wait_for(|stop| *stop).await;
        for task in accepting {
            let _ = task.await;
        }
        self.drain().await;
    }

    async fn accept(self: &Arc<Self>, listener: Listener, socket: &TcpListener, mut stop: watch::Receiver<bool>) {
        let Shared { admission, exhaustion, .. } = &*self.shared;
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
                    _ = stop.wait_for(|stop| *stop) => return,
                },
            };
            match accepted {
                Ok((stream, peer)) => {
                    self.note(listener, exhaustion.accepted(), None);
                    // At the limit, this connection waits here, and later ones wait in the kernel.
                    let place = tokio::select! {
                        biased;
                        place = self.place(listener) => Some(place),
                        _ = stop.wait_for(|stop| *stop) => None,
                    };
                    match place {
                        Some(place) => self.start(listener, stream, peer, place),
                        None => return client_stream::leave(&stream),
                    }
                }
                Err(error) if Exhaustion::is_of_one_connection(&error) => {}
                // Pending connections would keep established ones from shutting down.
                Err(_) if *stop.borrow() => return,
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
            if *stop.borrow() {
                left_after_stop -= 1;
                if left_after_stop == 0 {
                    return;
                }
            }
        }
    }

    async fn place(&self, listener: Listener) -> Place {
        match listener {
            Listener::Http | Listener::Https => self.shared.admission.place(self.index).await,
            Listener::Internal => self.shared.admission.place_for_node(self.index).await,
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
        let Shared { admission, .. } = &*self.shared;
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

    /// Not an `async fn`, which would hold the connection in two places.
    fn plain(self: Arc<Self>, stream: Box<ClientStream>, info: ConnInfo) -> impl Future<Output = ()> + Send + use<S> {
        let protocol = match self.shared.settings.http_h2c {
            H2c::Off => Protocol::Http1,
            H2c::Silent => Protocol::Detect,
            H2c::Open => Protocol::DetectOpen,
        };
        self.connections().add(info.control());
        let served = self.server.serve(stream, info.clone(), protocol, self.stack.clone());
        served.map(move |ended| {
            let (peer, control) = (info.peer(), info.control());
            let turned_away = |reason| self.turned_away(Listener::Http, peer, reason, None, error(&ended));
            match &ended {
                // The stack has counted it.
                Ended::Silenced => {}
                _ if control.was_crowded_out() => turned_away("crowded_out"),
                Ended::Deadline => turned_away("deadline"),
                // Not a request of HTTP/1, or none at all: the stack has not seen it.
                Ended::Failed(_) | Ended::Finished | Ended::Flooded if !control.is_open() => turned_away("no_request"),
                ended => tell_failed(Listener::Http, peer, ended),
            }
            tracing::trace!(%peer, ?ended, "connection");
        })
    }

    async fn tls(self: Arc<Self>, stream: ClientStream, peer: SocketAddr, gate: Control) {
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        let stranger = stream.stranger();
        let unserved = OnceLock::new();
        let certificates = |name: &HostName| {
            let config = self.shared.certificates.server_config(name);
            match config {
                Some(_) => gate.open_gate(),
                None => drop(unserved.set(name.clone())),
            }
            config
        };
        let accepted = SniAcceptor::new(certificates).accept(stream, self.shared.settings.silence_deadline).await;
        let connection = accepted.map(|(stream, name)| {
            let info = ConnInfo::tls(peer, name);
            self.connections().add(info.control());
            (stream, info)
        });
        self.handshakes.fetch_sub(1, Ordering::Relaxed);
        match connection {
            Ok((stream, info)) => {
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let protocol = if http2 { Protocol::Http2 } else { Protocol::Http1 };
                // A task without the room that a handshake takes, for as long as its connection is open.
                tokio::spawn(self.secured(Box::new(stream), info, protocol));
            }
            Err(rejected) => {
                let reason = reason(stranger.as_deref(), rejected.reason.reason());
                self.turned_away(Listener::Https, peer, reason, unserved.get(), Some(&rejected.reason));
                silence::close(rejected.io).await;
            }
        }
    }

    /// Not an `async fn` either.
    fn secured<IO>(
        self: Arc<Self>,
        stream: IO,
        info: ConnInfo,
        protocol: Protocol,
    ) -> impl Future<Output = ()> + Send + use<IO, S>
    where
        IO: AsyncRead + AsyncWrite + IntoRaw + Unpin + Send + 'static,
    {
        let served = self.server.serve(stream, info.clone(), protocol, self.stack.clone());
        served.map(move |ended| {
            tell_failed(Listener::Https, info.peer(), &ended);
            tracing::trace!(peer = %info.peer(), ?ended, "connection");
        })
    }

    /// Serves another node, which must prove that it knows the secret, over HTTP/2. If that secret is dropped, the
    /// connection is drained as on shutdown.
    async fn internal(self: Arc<Self>, stream: ClientStream, peer: SocketAddr, gate: Control) {
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        let stranger = stream.stranger();
        let accepted = self.nodes.accept(stream, self.shared.settings.silence_deadline).await;
        let connection = accepted.map(|(mut stream, name, term)| {
            gate.open_gate();
            stream.get_mut().0.give_back_place();
            let info = ConnInfo::node(peer, name);
            self.connections_of_nodes().add(info.control());
            (stream, info, term)
        });
        self.handshakes.fetch_sub(1, Ordering::Relaxed);
        match connection {
            Ok((stream, info, mut term)) => {
                let control = info.control().clone();
                let served = self.node_server.serve(stream, info, Protocol::Http2, self.stack.clone());
                // In a task of its own, so that the wait for the end of the secret is not polled with each request.
                let mut serving = tokio::spawn(served);
                let ended = tokio::select! {
                    ended = &mut serving => ended.ok(),
                    () = term.over() => {
                        control.drain();
                        let ended = timeout(self.shared.settings.shutdown_timeout, &mut serving).await;
                        serving.abort();
                        ended.ok().and_then(Result::ok)
                    }
                };
                tracing::trace!(%peer, ?ended, "connection of a node");
            }
            Err(rejected) => {
                if let NodeRejected::Clock { ahead_by } = rejected.reason {
                    let Shared { clocks, settings, .. } = &*self.shared;
                    clocks.tell(peer.ip().to_canonical(), ahead_by, settings.mesh.clock_window);
                }
                let reason = reason(stranger.as_deref(), rejected.reason.reason());
                self.turned_away(Listener::Internal, peer, reason, None, Some(&rejected.reason));
                silence::close(rejected.io).await;
            }
        }
    }

    /// It is counted, and not logged but for debugging.
    fn turned_away(
        &self,
        listener: Listener,
        peer: SocketAddr,
        reason: &'static str,
        host: Option<&HostName>,
        error: Option<&(dyn Error + 'static)>,
    ) {
        self.counters.reject(reason);
        tracing::debug!(
            peer = %SocketAddr::new(peer.ip().to_canonical(), peer.port()),
            listener = listener.name(),
            reason,
            host = host.map(tracing::field::display),
            error = error.map(with_causes).map(tracing::field::display),
            "silence"
        );
    }

    /// Lets requests in flight finish.
    async fn drain(&self) {
        let start = Instant::now();
        let open = [self.connections(), self.connections_of_nodes()];
        open.iter().for_each(|connections| connections.drain());
        while start.elapsed() < self.shared.settings.shutdown_timeout {
            let handshakes = self.handshakes.load(Ordering::Relaxed) > 0 && start.elapsed() < HANDSHAKES;
            if !handshakes && open.iter().all(|connections| connections.is_empty()) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        tracing::warn!(
            connections = open.iter().map(|connections| connections.len()).sum::<usize>(),
            "the shutdown timeout is over: ending what is in flight"
        );
    }
}

/// Accepts until the stop. A panic is a bug, but must not keep later connections out.
async fn again_after_panic(listener: Listener, mut accept: impl AsyncFnMut()) {
    while AssertUnwindSafe(accept()).catch_unwind().await.is_err() {
        let listener = listener.name();
        tracing::error!(listener, "accepting connections has panicked and was started again; this is a bug");
        sleep(ACCEPT_PAUSE).await;
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

/// What the server of HTTP has answered itself (400, 431) is in no access log.
fn tell_failed(listener: Listener, peer: SocketAddr, ended: &Ended) {
    if let Some(error) = error(ended) {
        tracing::debug!(%peer, listener = listener.name(), error = %with_causes(error), "the connection has failed");
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
