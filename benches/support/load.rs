//! Requests at a fixed rate, whether or not earlier ones were answered, on a thread of its own.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use super::{
    proxy::HOST,
    statistics::Sorted,
    wire::{Wire, connect},
};

const SOURCE: Ipv4Addr = Ipv4Addr::new(127, 4, 0, 1);

/// The load.
#[derive(Clone)]
pub struct Plan {
    pub address: SocketAddr,
    /// `GET`, or `POST` with a small body.
    pub method: &'static str,
    /// Followed by the number of the request.
    pub path: &'static str,
    /// Requests per second.
    pub rate: u32,
    /// Every n-th request uses a new connection; 0: none, all connections are kept alive.
    pub fresh: u32,
    /// How long to wait for a response.
    pub patience: Duration,
}

/// The outcome of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Status(u16),
    /// No connection: the proxy never got the request.
    Refused,
    /// The connection ended before or during the response.
    Ended,
    /// The same, but on a reused connection, which may have been closed just as the request was sent.
    KeptEnded,
    Reset,
    NoAnswer,
    /// Not a response.
    Garbage,
}

impl Outcome {
    pub fn is_success(self) -> bool {
        matches!(self, Self::Status(200))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{status}"),
            Self::Refused => f.write_str("connection refused"),
            Self::Ended => f.write_str("ended"),
            Self::KeptEnded => f.write_str("kept connection ended"),
            Self::Reset => f.write_str("reset"),
            Self::NoAnswer => f.write_str("no answer in time"),
            Self::Garbage => f.write_str("garbage"),
        }
    }
}

/// One request.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Method and path, as in the backends' records.
    pub request: String,
    pub outcome: Outcome,
    /// Measured from when the request was due.
    pub latency: Duration,
}

/// The 99th percentile of the time until a response, or until a request was lost.
pub fn p99(samples: &[Sample]) -> Duration {
    Sorted::new(samples.iter().map(|sample| sample.latency)).p99()
}

/// A load that runs until it is stopped.
pub struct Load {
    shared: Arc<Shared>,
    thread: thread::JoinHandle<()>,
}

struct Shared {
    plan: Plan,
    stop: AtomicBool,
    samples: Mutex<Vec<Sample>>,
    idle: Mutex<Vec<Wire<TcpStream>>>,
}

impl Load {
    pub fn start(plan: Plan) -> Self {
        let shared =
            Arc::new(Shared { plan, stop: AtomicBool::new(false), samples: Mutex::default(), idle: Mutex::default() });
        let of_thread = Arc::clone(&shared);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { shared, thread: thread::spawn(move || runtime.block_on(of_thread.run())) }
    }

    /// Takes the requests that have finished since the last call.
    pub fn take(&self) -> Vec<Sample> {
        std::mem::take(&mut *self.shared.samples.lock().unwrap())
    }

    /// Stops sending.
    pub fn halt(&self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }

    /// Stops sending and waits for all responses.
    pub fn stop(self) -> Vec<Sample> {
        self.halt();
        self.thread.join().unwrap();
        std::mem::take(&mut *self.shared.samples.lock().unwrap())
    }
}

impl Shared {
    async fn run(self: Arc<Self>) {
        let (start, mut requests) = (Instant::now(), JoinSet::new());
        for number in 0_u32.. {
            let due = start + Duration::from_secs(1) / self.plan.rate * number;
            sleep_until(due).await;
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            requests.spawn(Arc::clone(&self).request(number, due));
            while requests.try_join_next().is_some() {}
        }
        while requests.join_next().await.is_some() {}
    }

    async fn request(self: Arc<Self>, number: u32, due: Instant) {
        let (method, path) = (self.plan.method, self.plan.path);
        let request = format!("{method} {path}{number}");
        let body = if method == "POST" { "Content-Length: 16\r\n\r\n0123456789abcdef" } else { "\r\n" };
        let bytes = format!("{request} HTTP/1.1\r\nHost: {HOST}\r\n{body}");
        let fresh = number.checked_rem(self.plan.fresh) == Some(0);
        let outcome = timeout(self.plan.patience, self.exchange(bytes.as_bytes(), fresh)).await;
        let outcome = outcome.unwrap_or(Outcome::NoAnswer);
        self.samples.lock().unwrap().push(Sample { request, outcome, latency: due.elapsed() });
    }

    async fn exchange(&self, request: &[u8], fresh: bool) -> Outcome {
        let kept = if fresh { None } else { self.kept() };
        let ended = if kept.is_some() { Outcome::KeptEnded } else { Outcome::Ended };
        let mut wire = match kept {
            Some(wire) => wire,
            None => match connect(SOURCE, self.plan.address).await {
                Ok(stream) => Wire::new(stream),
                Err(_) => return Outcome::Refused,
            },
        };
        let (status, close) = match answer(&mut wire, request).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Outcome::Garbage,
            Err(error) => match error.kind() {
                io::ErrorKind::UnexpectedEof => return ended,
                io::ErrorKind::InvalidData => return Outcome::Garbage,
                _ => return Outcome::Reset,
            },
        };
        if !close && !fresh {
            self.idle.lock().unwrap().push(wire);
        }
        Outcome::Status(status)
    }

    fn kept(&self) -> Option<Wire<TcpStream>> {
        let mut idle = self.idle.lock().unwrap();
        std::iter::from_fn(|| idle.pop()).find(|wire| !wire.is_stale())
    }
}

/// The status, and whether the connection closes after it.
async fn answer(wire: &mut Wire<TcpStream>, request: &[u8]) -> io::Result<Option<(u16, bool)>> {
    wire.send(request).await?;
    let head = wire.head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    let Some(status) = head.status() else { return Ok(None) };
    wire.body(&head).await?;
    Ok(Some((status, head.has_close())))
}
