//! pmesh's side of the keeper.

use std::{
    borrow::Cow,
    collections::HashMap,
    io,
    os::{
        fd::OwnedFd,
        unix::{net, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::{
    net::{Shutdown, shutdown},
    process::{getpid, set_child_subreaper},
};
use tokio::{
    net::{
        UnixStream,
        unix::pipe::{Sender, pipe},
    },
    sync::mpsc,
    time::timeout,
};

use super::{
    event::KeeperEvent,
    launch::{Launch, Output},
    lost,
    message::{ARGUMENT, Enforced, Reply, Request, decode, encode},
    open_files,
    socket::{Pipes, Received, send},
};
use crate::{processes::children, settings::ServiceLimits};

/// How long the keeper may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// A running keeper. Dropping it makes the keeper stop all programs and exit; their events still arrive, and then the
/// channel of events ends.
#[derive(Debug)]
pub struct Keeper {
    requests: mpsc::UnboundedSender<(Vec<u8>, Option<Pipes>)>,
    enforced: Enforced,
    pid: u32,
    state: Arc<State>,
}

/// What the handle and its tasks share.
#[derive(Debug, Default)]
struct State {
    /// No more requests will come.
    is_closing: AtomicBool,
    /// The keeper has exited.
    has_ended: AtomicBool,
}

impl Keeper {
    /// Starts a keeper from the program that is running, even if its file has been replaced. Call it on the runtime that
    /// will carry its messages.
    ///
    /// # Errors
    ///
    /// If it cannot be started, or does not report within ten seconds.
    pub async fn start() -> io::Result<(Self, mpsc::UnboundedReceiver<KeeperEvent>)> {
        let own = Path::new("/proc/self/exe");
        let program = if own.exists() { PathBuf::from(own) } else { std::env::current_exe()? };
        Self::start_program(&program).await
    }

    /// Like [`start`](Self::start), with the path of a pmesh program.
    ///
    /// # Errors
    ///
    /// See [`start`](Self::start).
    pub async fn start_program(program: &Path) -> io::Result<(Self, mpsc::UnboundedReceiver<KeeperEvent>)> {
        // If the keeper is killed, this process inherits what its services have started, and can kill it.
        set_child_subreaper(Some(getpid()))?;
        let (own, other) = net::UnixStream::pair()?;
        own.set_nonblocking(true)?;
        let socket = UnixStream::from_std(own)?;
        let mut command = Command::new(program);
        command
            .arg0("pmesh")
            .arg(ARGUMENT)
            .arg(open_files::soft_limit().to_string())
            // The keeper needs no variables, and those of pmesh can contain the secret.
            .env_clear()
            .stdin(OwnedFd::from(other))
            .stdout(Stdio::null())
            // Ctrl-C in a terminal does not reach it.
            .process_group(0);
        let mut child = children::spawn(&mut command)?;
        // It holds the other end of the socket, which has to close when the keeper exits.
        drop(command);
        let mut received = Received::default();
        let enforced = match timeout(START_TIMEOUT, hello(&socket, &mut received)).await {
            Ok(Ok(enforced)) => enforced,
            failed => {
                let _ = child.kill();
                let status = child.wait();
                children::release(child.id());
                let reason = match failed {
                    Ok(Err(error)) if error.kind() != io::ErrorKind::UnexpectedEof => error.to_string(),
                    Ok(_) => status.map_or_else(|error| error.to_string(), |status| status.to_string()),
                    Err(_) => "no answer in ten seconds".to_owned(),
                };
                return Err(io::Error::other(format!("cannot start the keeper of the services: {reason}")));
            }
        };
        let pid = child.id();
        let (requests, queue) = mpsc::unbounded_channel();
        let (events, of_caller) = mpsc::unbounded_channel();
        let socket = Arc::new(socket);
        let state = Arc::<State>::default();
        tokio::spawn(send_requests(Arc::clone(&socket), queue, Arc::clone(&state)));
        let running = HashMap::new();
        tokio::spawn(Incoming { socket, received, child, events, state: Arc::clone(&state), running }.run());
        Ok((Self { requests, enforced, pid, state }, of_caller))
    }

    /// Starts a program. Events with this `id`, which must be new, follow: first `Started` or `Failed`.
    ///
    /// # Errors
    ///
    /// If there are no descriptors left, if the arguments and variables are too long, or if the keeper has ended.
    pub fn launch(&self, id: u64, launch: &Launch) -> io::Result<Output> {
        let ended = || io::Error::new(io::ErrorKind::BrokenPipe, "the keeper of the services has ended");
        if self.state.has_ended.load(Ordering::Relaxed) {
            return Err(ended());
        }
        let request = encode(&Request::Launch { id, launch: Cow::Borrowed(launch) })?;
        let (stdout_write, stdout) = pipe()?;
        let (stderr_write, stderr) = pipe()?;
        let pipes = [stdout_write, stderr_write].map(Sender::into_blocking_fd);
        let [stdout_write, stderr_write] = pipes;
        let sent = self.requests.send((request, Some([stdout_write?, stderr_write?])));
        sent.map_err(|_| ended())?;
        Ok(Output { stdout, stderr })
    }

    /// Sends a signal to the process group of a program. Does nothing if it has exited.
    pub fn signal(&self, id: u64, signal: i32) {
        self.request(&Request::Signal { id, signal });
    }

    /// Kills a program and everything that it has started.
    pub fn kill(&self, id: u64) {
        self.request(&Request::Kill { id });
    }

    /// Which of these limits are not enforced, or not for all processes of a service together, as a sentence for the log.
    pub fn weaker_limits(&self, limits: &ServiceLimits) -> Option<String> {
        let Enforced { memory, cpu, reason } = &self.enforced;
        let memory = (limits.memory.is_some() && !memory)
            .then_some("limits.memory holds for each process of a service, not for all together");
        let cpu = (limits.millicpus.is_some() && !cpu).then_some("limits.cpu is not enforced");
        let what: Vec<_> = memory.into_iter().chain(cpu).collect();
        (!what.is_empty()).then(|| format!("{}: {reason}", what.join(", and ")))
    }

    /// The process id of the keeper.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    fn request(&self, request: &Request<'_>) {
        // If the keeper has ended, so have all programs. Numbers can always be encoded.
        let _ = encode(request).map(|request| self.requests.send((request, None)));
    }
}

async fn hello(socket: &UnixStream, received: &mut Received) -> io::Result<Enforced> {
    match received.message(socket).await? {
        Some(message) => match decode(&message)? {
            Reply::Hello(enforced) => Ok(enforced),
            other => Err(io::Error::new(io::ErrorKind::InvalidData, format!("unexpected: {other:?}"))),
        },
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

async fn send_requests(
    socket: Arc<UnixStream>,
    mut queue: mpsc::UnboundedReceiver<(Vec<u8>, Option<Pipes>)>,
    state: Arc<State>,
) {
    while let Some((request, pipes)) = queue.recv().await {
        if send(&socket, &request, pipes.as_ref()).await.is_err() {
            // The other task sees that the keeper has ended.
            return;
        }
    }
    state.is_closing.store(true, Ordering::Relaxed);
    let _ = shutdown(&*socket, Shutdown::Write);
}

/// Passes on what the keeper reports.
struct Incoming {
    socket: Arc<UnixStream>,
    received: Received,
    child: Child,
    events: mpsc::UnboundedSender<KeeperEvent>,
    state: Arc<State>,
    /// The main processes by the id of their launch.
    running: HashMap<u64, u32>,
}

impl Incoming {
    async fn run(mut self) {
        let problem = loop {
            match self.received.message(&self.socket).await.map(|message| message.map(|message| decode(&message))) {
                Ok(Some(Ok(reply))) => self.pass_on(reply),
                Ok(Some(Err(error))) | Err(error) => break Some(error),
                Ok(None) => break None,
            }
        };
        self.state.has_ended.store(true, Ordering::Relaxed);
        let keeper = self.child.id();
        let status = lost::wait(&mut self.child).await;
        lost::end_services(keeper, &self.running).await;
        if !self.state.is_closing.load(Ordering::Relaxed) {
            let reason = problem.map_or(status, |error| error.to_string());
            let _ = self.events.send(KeeperEvent::Lost(format!("the keeper of the services has ended: {reason}")));
        }
    }

    fn pass_on(&mut self, reply: Reply) {
        let event = match reply {
            Reply::Hello(_) => return,
            Reply::Started { id, pid } => {
                self.running.insert(id, pid);
                KeeperEvent::Started { id, pid }
            }
            Reply::Failed { id, error } => KeeperEvent::Failed { id, error },
            Reply::Exited { id, status } => {
                self.running.remove(&id);
                KeeperEvent::Exited { id, status }
            }
        };
        // Fails if nobody listens any more.
        let _ = self.events.send(event);
    }
}
