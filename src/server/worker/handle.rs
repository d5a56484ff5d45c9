//! Starts a worker, and lets the control thread talk to it.

use std::{fmt, sync::Arc, thread};

use pmesh_layers::route::RouteTable;
use tokio::sync::{mpsc, watch};
use tower::BoxError;

use super::{
    socket::Socket,
    stacks::{NewStacks, Stacks},
    state::Worker,
};
use crate::{
    http::stack::{Parts, stack},
    mesh::Api,
    server::{generation::Generation, process::Process},
};

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

/// Switches a worker to another generation. It cannot fail.
pub type Swap = Box<dyn FnOnce() + Send>;

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
        let build = move |generation: &Generation, table: &Arc<RouteTable<usize>>| {
            stack(Parts {
                settings: &generation.settings,
                table: Arc::clone(table),
                services: Arc::clone(generation.routes.services(index)),
                api: api.clone(),
                counters: Arc::clone(&of_counters),
            })
        };
        let build_all = move |generation: &Generation| NewStacks::build(generation, |table| build(generation, table));
        let stacks = Arc::new(Stacks::new(build_all(&process.current())?));
        let of_worker = Arc::clone(&stacks);
        let prepare = move |generation: &Generation| {
            let (new, stacks) = (build_all(generation)?, Arc::clone(&of_worker));
            // What was there is dropped by the caller's thread, after the lock.
            Ok(Box::new(move || drop(stacks.replace(new))) as Swap)
        };
        let worker = Arc::new(Worker::new(index, process, counters, stacks));
        let (sockets, new_sockets) = mpsc::unbounded_channel();
        let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            runtime.block_on(worker.run(new_sockets, stop));
            // Dropped, it would wait for name lookups that nobody waits for any more.
            runtime.shutdown_background();
        })?;
        Ok((Self { sockets, prepare: Box::new(prepare) }, thread))
    }

    /// Hands it a socket to accept connections from. A worker that has stopped closes the socket.
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
