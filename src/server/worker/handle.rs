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

/// How many tasks a worker polls before it asks the system for new events, unless it runs out of tasks first. With
/// tokio's default of 61, a busy worker handles its requests in batches so small that the kernel's code and data do not
/// stay in the cache. With 1000 connections, 1024 takes 20 µs per request instead of 26.
const TASKS_BETWEEN_EVENTS: u32 = 1024;

/// A running worker, as the control thread sees it.
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
    /// Starts worker number `index`. It serves the current generation until `stop` is true. Then it exits as soon as
    /// nothing is in flight or the shutdown timeout has passed.
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
            // The old stacks are dropped on the caller's thread, after the lock is released.
            Ok(Box::new(move || drop(stacks.replace(new))) as Swap)
        };
        let worker = Arc::new(Worker::new(index, process, counters, stacks));
        let (sockets, new_sockets) = mpsc::unbounded_channel();
        let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            runtime.block_on(worker.run(new_sockets, stop));
            // Dropping the runtime would wait for name lookups whose results nobody needs.
            runtime.shutdown_background();
        })?;
        Ok((Self { sockets, prepare: Box::new(prepare) }, thread))
    }

    /// Hands the worker a socket to accept connections on. A worker that has stopped closes it.
    pub fn listen(&self, socket: Socket) {
        let _ = self.sockets.send(socket);
    }

    /// Builds what the worker needs to serve a generation.
    ///
    /// # Errors
    ///
    /// See [`stack`].
    pub fn prepare(&self, generation: &Generation) -> Result<Swap, BoxError> {
        (self.prepare)(generation)
    }
}
