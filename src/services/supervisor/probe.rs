//! Finds out when an instance can serve.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode, header::HOST, uri::PathAndQuery};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    sync::watch,
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};
use tower::BoxError;

use super::listener::{Listener, listener};
use crate::{
    settings::endpoint::{Instance, InstanceAddress, Protocol},
    telemetry::causes::with_causes,
};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// The shortest and the longest pause between attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Why an instance is not ready yet. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubt(Arc<Mutex<Option<String>>>);

impl Doubt {
    /// The last attempt failed for this reason.
    pub(super) fn set(&self, reason: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    /// Why the last attempt failed.
    pub(super) fn reason(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns once the instance accepts connections, or, with a path, once it answers a GET with a 2xx or 3xx status. `pid`
/// gets its process id once it runs. The outcome is whether it listens on all addresses.
pub(super) async fn until_ready(
    instance: &Instance,
    path: Option<&PathAndQuery>,
    pid: &mut watch::Receiver<Option<u32>>,
    doubt: &Doubt,
) -> bool {
    let began = Instant::now();
    loop {
        // A fast program is found soon, and a slow one costs little.
        sleep((began.elapsed() / 5).clamp(PAUSES.0, PAUSES.1)).await;
        match timeout(ATTEMPT, attempt(instance, path)).await {
            Ok(Ok(())) => match who_listens(&instance.address, pid).await {
                Listener::There => return false,
                Listener::Everywhere => return true,
                Listener::Another => {
                    doubt.set(format!("another program listens on all addresses, {} among them", instance.address));
                }
            },
            Ok(Err(reason)) => doubt.set(reason),
            Err(_) => doubt.set(format!("it did not answer at {} in {} s", instance.address, ATTEMPT.as_secs())),
        }
    }
}

/// Who accepted the connection.
async fn who_listens(address: &InstanceAddress, pid: &mut watch::Receiver<Option<u32>>) -> Listener {
    let InstanceAddress::Socket(address) = *address else { return Listener::There };
    let pid = pid.wait_for(Option::is_some).await.ok().and_then(|pid| *pid);
    let Some(pid) = pid else { return Listener::There };
    // With many connections, this reads megabytes.
    spawn_blocking(move || listener(address, pid)).await.unwrap_or(Listener::There)
}

async fn attempt(instance: &Instance, path: Option<&PathAndQuery>) -> Result<(), String> {
    let address = &instance.address;
    let stream = connect(address).await.map_err(|error| {
        let variables = match address {
            InstanceAddress::Socket(_) => "LISTEN, or HOST and PORT",
            InstanceAddress::Unix(_) => "SOCKET",
        };
        format!("it does not accept connections at {address}, which is in {variables}: {error}")
    })?;
    let Some(path) = path else { return Ok(()) };
    match status(stream, instance.protocol, path).await {
        Ok(status) if status.is_success() || status.is_redirection() => Ok(()),
        Ok(status) => Err(format!("GET {path} at {address} gets {status}")),
        Err(error) => Err(format!("GET {path} at {address} fails: {}", with_causes(&*error))),
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(address: &InstanceAddress) -> io::Result<Box<dyn Stream>> {
    Ok(match address {
        InstanceAddress::Socket(address) => Box::new(TcpStream::connect(address).await?),
        InstanceAddress::Unix(path) => Box::new(UnixStream::connect(path).await?),
    })
}

async fn status(stream: Box<dyn Stream>, protocol: Protocol, path: &PathAndQuery) -> Result<StatusCode, BoxError> {
    let stream = TokioIo::new(stream);
    let request = Request::get(path.as_str());
    if protocol == Protocol::H2c {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        let request = Request::get(format!("http://localhost{path}")).body(Empty::<Bytes>::new())?;
        tokio::select! {
            response = sender.send_request(request) => Ok(response?.status()),
            ended = connection => Err(ended.err().map_or_else(|| "the connection ended".into(), Into::into)),
        }
    } else {
        let (mut sender, connection) = http1::handshake(stream).await?;
        let request = request.header(HOST, "localhost").body(Empty::<Bytes>::new())?;
        tokio::select! {
            response = sender.send_request(request) => Ok(response?.status()),
            ended = connection => Err(ended.err().map_or_else(|| "the connection ended".into(), Into::into)),
        }
    }
}
