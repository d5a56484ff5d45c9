//! Finds out when an instance can serve.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, header::HOST, uri::PathAndQuery};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    time::{Instant, sleep, timeout},
};
use tower::BoxError;

use crate::settings::endpoint::{Instance, InstanceAddress, Protocol};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// The shortest and the longest pause between attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Returns once the instance accepts connections, or, with a path, once it answers a GET with a 2xx or 3xx status.
pub(super) async fn until_ready(instance: &Instance, path: Option<&PathAndQuery>) {
    let began = Instant::now();
    loop {
        // A fast program is found soon, and a slow one costs little.
        sleep((began.elapsed() / 5).clamp(PAUSES.0, PAUSES.1)).await;
        if let Ok(Ok(true)) = timeout(ATTEMPT, is_ready(instance, path)).await {
            return;
        }
    }
}

async fn is_ready(instance: &Instance, path: Option<&PathAndQuery>) -> Result<bool, BoxError> {
    let stream = connect(&instance.address).await?;
    let Some(path) = path else { return Ok(true) };
    let status = status(stream, instance.protocol, path).await?;
    Ok(status.is_success() || status.is_redirection())
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
