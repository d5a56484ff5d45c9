//! A worker: a thread with a runtime, listening sockets, a stack and connection pools of its own.

mod accept;
mod connection;

use std::{
    fmt, io,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use ::http::{Request, Response};
use pmesh_layers::{body::RequestBody, node::NodeAcceptor};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep},
};
use tower::{BoxError, Service};

use self::accept::again_after_panic;
use super::{generation::Generation, process::Process};
use crate::{
    admission::connections::Connections,
    body::ResponseBody,
    http::{
        access_log::LoggedBody,
        stack::{Parts, SharedStack, stack},
    },
    mesh::Api,
    settings::Listener,
    telemetry::counters::Counters,
};

/// Handshakes get this long to end when the worker stops; requests get `shutdown_timeout`.
const HANDSHAKES: Duration = Duration::from_secs(1);

/// Tasks that a worker polls before it asks the system what has come meanwhile, unless none is left to poll: tokio's 61
/// splits a busy worker's requests into groups too small for the kernel's work to stay in the cache. With 1000
/// connections it takes 20 µs a request instead of 26.
const TASKS_BETWEEN_EVENTS: u32 = 1024;

/// A running worker, for the thread that controls it.
pub struct WorkerHandle {
    sockets: mpsc::UnboundedSender<Socket>,
    prepare: Prepare,
}

type Prepare = Box<dyn Fn(&Generation) -> Result<Swap, BoxError> + Send>;

impl fmt::Debug for WorkerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerHandle").finish_non_exhaustive()
    }
}

/// Lets a worker go over to another generation. It cannot fail.
pub type Swap = Box<dyn FnOnce() + Send>;

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

impl WorkerHandle {
    /// Starts the worker with this number. It serves the current generation until `stop` is true, and ends when nothing
    /// is in flight any more or the shutdown timeout is over.
    ///
    /// # Errors
    ///
    /// If the system provides no thread or no runtime.
    pub fn start(
        index: usize,
        process: Arc<Process>,
        api: Api,
        stop: watch::Receiver<bool>,
    ) -> Result<(Self, thread::JoinHandle<()>), BoxError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().event_interval(TASKS_BETWEEN_EVENTS).build()?;
        let counters = Arc::clone(&process.counters[index]);
        let of_counters = Arc::clone(&counters);
        let build = move |generation: &Generation| {
            stack(Parts {
                settings: &generation.settings,
                table: Arc::clone(generation.routes.table()),
                services: Arc::clone(generation.routes.services(index)),
                api: api.clone(),
                counters: Arc::clone(&of_counters),
            })
        };
        let shared = SharedStack::new(build(&process.current())?);
        let stack = shared.clone();
        let prepare = move |generation: &Generation| {
            let (new, stack) = (build(generation)?, stack.clone());
            // What was there is dropped by the caller's thread, after the lock.
            Ok(Box::new(move || drop(stack.replace(new))) as Swap)
        };
        let worker = Arc::new(Worker::new(index, process, counters, shared));
        let (sockets, new_sockets) = mpsc::unbounded_channel();
        let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            runtime.block_on(worker.run(new_sockets, stop));
            // Dropped, it would wait for name lookups that nobody waits for any more.
            runtime.shutdown_background();
        })?;
        Ok((Self { sockets, prepare: Box::new(prepare) }, thread))
    }

    /// Lets it accept the connections of a socket. A worker that has stopped closes it.
    pub fn listen(&self, socket: Socket) {
        let _ = self.sockets.send(socket);
    }

    /// Builds what it needs for a generation.
    ///
    /// # Errors
    ///
    /// See [`stack`].
    pub fn prepare(&self, generation: &Generation) -> Result<Swap, BoxError> {
        (self.prepare)(generation)
    }
}

struct Worker<S> {
    index: usize,
    process: Arc<Process>,
    counters: Arc<Counters>,
    /// TLS connections that are not on record yet.
    handshakes: AtomicUsize,
    nodes: NodeAcceptor,
    stack: SharedStack<S>,
}

/// Tells when to stop accepting at a socket.
#[derive(Debug, Clone)]
struct Stop {
    all: watch::Receiver<bool>,
    socket: watch::Receiver<bool>,
    _alive: Arc<()>,
}

impl Stop {
    /// Waits for it.
    async fn wait(&mut self) {
        tokio::select! {
            // An error means that the sender is gone, which means stop as well.
            _ = self.all.wait_for(|stop| *stop) => {}
            // Nobody is left to close this socket alone.
            Ok(_) = self.socket.wait_for(|closed| *closed) => {}
            else => {}
        }
    }

    fn is_set(&self) -> bool {
        *self.all.borrow() || *self.socket.borrow()
    }
}

impl<S> Worker<S>
where
    S: Service<Request<RequestBody>, Response = Response<LoggedBody<ResponseBody>>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    fn new(index: usize, process: Arc<Process>, counters: Arc<Counters>, stack: SharedStack<S>) -> Self {
        let nodes = NodeAcceptor::new(process.identity.clone());
        Self { index, process, counters, handshakes: AtomicUsize::new(0), nodes, stack }
    }

    /// The client connections of this worker.
    fn connections(&self) -> &Connections {
        self.process.admission.room().connections(self.index)
    }

    /// The connections of other nodes to this worker.
    fn connections_of_nodes(&self) -> &Connections {
        self.process.admission.room().nodes(self.index)
    }

    async fn run(self: Arc<Self>, mut sockets: mpsc::UnboundedReceiver<Socket>, stop: watch::Receiver<bool>) {
        let mut stopped = stop.clone();
        let mut accepting = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                biased;
                Some(socket) = sockets.recv() => {
                    let listener = socket.listener;
                    match self.accept_at(socket, &stop) {
                        Ok(accept) => drop(accepting.spawn(accept)),
                        Err(error) => tracing::error!(listener = listener.name(), %error, "cannot accept connections"),
                    }
                }
                Some(_) = accepting.join_next() => {}
                // An error means that the sender is gone, which means stop as well.
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
        let (worker, stop) = (Arc::clone(self), Stop { all: stop.clone(), socket: closed, _alive: alive });
        let socket = tokio::net::TcpListener::from_std(socket)?;
        let accept = async move || worker.accept(listener, &socket, stop.clone()).await;
        Ok(again_after_panic(listener, accept))
    }

    /// Lets requests in flight finish.
    async fn drain(&self) {
        let start = Instant::now();
        let open = [self.connections(), self.connections_of_nodes()];
        open.iter().for_each(|connections| connections.drain());
        while start.elapsed() < self.process.current().settings.shutdown_timeout {
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
