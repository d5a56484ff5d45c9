//! A worker: a thread with a runtime, listening sockets, a stack and connection pools of its own.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use http::{Request, Response};
use hyper::body::Incoming;
use pmesh_layers::{
    conn::ConnInfo,
    host::HostName,
    serve::{Ended, HttpServer, Protocol},
    silence,
    sni::{Rejected, SniAcceptor},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, sleep},
};
use tower::{BoxError, Service};

use crate::{
    access_log::LoggedBody,
    body::ResponseBody,
    certificates::Certificates,
    connections::Connections,
    counters::Counters,
    listen::Listener,
    settings::{H2c, Settings},
    stack::stack,
    trust::Trust,
};

/// How long nothing is accepted after the system had no descriptor or no memory left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Handshakes get this long to end when the worker stops; requests get `shutdown_timeout`.
const HANDSHAKES: Duration = Duration::from_secs(1);

/// Connections that are still accepted after the stop, because they were waiting.
const ACCEPTED_AFTER_STOP: usize = 4096;

/// What all workers share.
#[derive(Debug)]
pub struct Shared {
    /// The settings.
    pub settings: Settings,
    /// The certificates of the https listener.
    pub certificates: Certificates,
    /// Whose certificates upstreams may show.
    pub trust: Trust,
}

/// Starts a worker. It serves `sockets` until `stop` says true, and ends when nothing is in flight any more or the
/// shutdown timeout is over.
///
/// # Errors
///
/// When the system gives no thread or no runtime.
pub fn spawn(
    index: usize,
    sockets: Vec<(Listener, std::net::TcpListener)>,
    shared: Arc<Shared>,
    counters: Arc<Counters>,
    stop: watch::Receiver<bool>,
) -> Result<thread::JoinHandle<()>, BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stack = stack(&shared.settings, &shared.trust, Arc::clone(&counters))?;
    let sockets = {
        let _context = runtime.enter();
        let sockets = sockets.into_iter().map(|(listener, socket)| Ok((listener, TcpListener::from_std(socket)?)));
        sockets.collect::<io::Result<Vec<_>>>()?
    };
    let worker = Arc::new(Worker::new(shared, counters, stack));
    let thread = thread::Builder::new().name(format!("worker-{index}"));
    Ok(thread.spawn(move || runtime.block_on(worker.run(sockets, stop)))?)
}

struct Worker<S> {
    shared: Arc<Shared>,
    counters: Arc<Counters>,
    connections: Connections,
    /// TLS connections that are not on record yet.
    handshakes: AtomicUsize,
    server: HttpServer,
    stack: S,
}

impl<S> Worker<S>
where
    S: Service<Request<Incoming>, Response = Response<LoggedBody<ResponseBody>>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    fn new(shared: Arc<Shared>, counters: Arc<Counters>, stack: S) -> Self {
        let server = HttpServer::new()
            .silence_deadline(shared.settings.silence_deadline)
            .keep_alive_timeout(shared.settings.keep_alive_timeout);
        Self { shared, counters, connections: Connections::default(), handshakes: AtomicUsize::new(0), server, stack }
    }

    async fn run(self: Arc<Self>, sockets: Vec<(Listener, TcpListener)>, mut stop: watch::Receiver<bool>) {
        let mut accepting = Vec::new();
        for (listener, socket) in sockets {
            accepting.push(tokio::spawn(Arc::clone(&self).accept(listener, socket, stop.clone())));
        }
        // An error means that the sender is gone, which means stop as well.
        let _ = stop.wait_for(|stop| *stop).await;
        for task in accepting {
            let _ = task.await;
        }
        self.drain().await;
    }

    async fn accept(self: Arc<Self>, listener: Listener, socket: TcpListener, mut stop: watch::Receiver<bool>) {
        let mut left_after_stop = ACCEPTED_AFTER_STOP;
        loop {
            let accepted = tokio::select! {
                // Accepting comes first: who has connected before the stop is still served.
                biased;
                accepted = socket.accept() => accepted,
                _ = stop.wait_for(|stop| *stop) => return,
            };
            match accepted {
                Ok((stream, peer)) => self.start(listener, stream, peer),
                Err(error) => pause(listener, &error).await,
            }
            if *stop.borrow() {
                left_after_stop -= 1;
                if left_after_stop == 0 {
                    return;
                }
            }
        }
    }

    fn start(self: &Arc<Self>, listener: Listener, stream: TcpStream, peer: SocketAddr) {
        self.counters.connections.add();
        let worker = Arc::clone(self);
        match listener {
            Listener::Http => drop(tokio::spawn(worker.plain(stream, peer))),
            Listener::Https => drop(tokio::spawn(worker.tls(stream, peer))),
            Listener::Internal => drop(tokio::spawn(worker.internal(stream))),
        }
    }

    async fn plain(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let protocol = match self.shared.settings.http_h2c {
            H2c::Off => Protocol::Http1,
            H2c::Silent => Protocol::Detect,
            H2c::Open => Protocol::DetectOpen,
        };
        let info = ConnInfo::plain(peer);
        self.connections.add(info.control());
        let ended = self.server.serve(stream, info.clone(), protocol, self.stack.clone()).await;
        match ended {
            Ended::Deadline => self.counters.reject("deadline"),
            // Not a request of HTTP/1, or none at all: the stack has not seen it.
            Ended::Failed(_) | Ended::Finished if !info.control().is_open() => self.counters.reject("no_request"),
            _ => {}
        }
        tracing::trace!(%peer, ?ended, "connection");
    }

    async fn tls(self: Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        let certificates = |name: &HostName| self.shared.certificates.server_config(name);
        let accepted = SniAcceptor::new(certificates).accept(stream, self.shared.settings.silence_deadline).await;
        let connection = accepted.map(|(stream, name)| {
            let info = ConnInfo::tls(peer, name);
            self.connections.add(info.control());
            (stream, info)
        });
        self.handshakes.fetch_sub(1, Ordering::Relaxed);
        match connection {
            Ok((stream, info)) => {
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let protocol = if http2 { Protocol::Http2 } else { Protocol::Http1 };
                let ended = self.server.serve(stream, info, protocol, self.stack.clone()).await;
                tracing::trace!(%peer, ?ended, "connection");
            }
            Err(rejected) => self.reject(rejected).await,
        }
    }

    /// Nobody can prove anything to this listener yet.
    async fn internal(self: Arc<Self>, stream: TcpStream) {
        let nobody = SniAcceptor::new(|_: &HostName| None);
        if let Err(rejected) = nobody.accept(stream, self.shared.settings.silence_deadline).await {
            self.reject(rejected).await;
        }
    }

    async fn reject(&self, rejected: Rejected<TcpStream>) {
        self.counters.reject(rejected.reason.reason());
        tracing::debug!(reason = %rejected.reason, "silence");
        if let Some(stream) = rejected.io {
            silence::close(stream).await;
        }
    }

    /// Lets what is in flight end.
    async fn drain(&self) {
        let start = Instant::now();
        self.connections.drain();
        while start.elapsed() < self.shared.settings.shutdown_timeout {
            let handshakes = self.handshakes.load(Ordering::Relaxed) > 0 && start.elapsed() < HANDSHAKES;
            if !handshakes && self.connections.is_empty() {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        tracing::warn!(connections = self.connections.len(), "the shutdown timeout is over: ending what is in flight");
    }
}

/// After an error of accept. Most concern one connection that is gone already; out of descriptors or memory, the next
/// try would fail at once, again and again.
async fn pause(listener: Listener, error: &io::Error) {
    let exhausted = {
        use nix::errno::Errno;
        let errno = error.raw_os_error().map(Errno::from_raw);
        matches!(errno, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOBUFS | Errno::ENOMEM))
    };
    if exhausted {
        tracing::warn!(listener = listener.name(), %error, "cannot accept a connection for now");
        sleep(ACCEPT_PAUSE).await;
    }
}
