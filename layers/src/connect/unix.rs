use std::{
    future::Future,
    io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::{
    net::UnixStream,
    sync::Mutex,
    time::{sleep, timeout},
};
use tower::Service;

use super::ConnectError;
use crate::durations::bounded;

/// The first and the longest pause between attempts to connect while the backlog is full.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const MAX_PAUSE: Duration = Duration::from_millis(16);

/// Connects to a Unix socket, whatever the host and port of the URI.
///
/// The connector does not speak TLS: `https` and `wss` URIs are an error. For those, wrap it in a
/// [`TlsConnector`](super::TlsConnector).
///
/// If the backlog of a Unix socket is full, Linux refuses connections at once (EAGAIN), unlike with TCP. The connector
/// then tries again after short pauses, until the connect timeout. Waiting connections get a slot in the backlog in the
/// order in which they arrived.
///
/// ```
/// use pmesh_layers::{connect::UnixConnector, pool::Pool};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::new(UnixConnector::new("/run/app.sock"), "http://app".parse()?);
/// # Ok(())
/// # }
/// ```
///
/// Cloning only increments a reference count.
#[derive(Debug, Clone)]
pub struct UnixConnector {
    path: Arc<Path>,
    connect_timeout: Duration,
    /// Held by the connection that retries while the backlog is full. The others queue for it.
    retrying: Arc<Mutex<()>>,
}

impl UnixConnector {
    /// Creates a connector to the socket at `path`.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().into(), connect_timeout: Duration::from_secs(5), retrying: Arc::default() }
    }

    /// Sets the maximum time to wait for a slot in the backlog of the socket. Default: 5 seconds.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = bounded(timeout);
        self
    }

    async fn connect(&self) -> io::Result<UnixStream> {
        // Do not overtake connections that are already waiting.
        if self.retrying.try_lock().is_ok() {
            match UnixStream::connect(&self.path).await {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
        let _turn = self.retrying.lock().await;
        let mut pause = FIRST_PAUSE;
        loop {
            match UnixStream::connect(&self.path).await {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(pause).await,
                result => return result,
            }
            pause = (pause * 2).min(MAX_PAUSE);
        }
    }
}

impl Service<Uri> for UnixConnector {
    type Response = TokioIo<UnixStream>;
    type Error = ConnectError;
    // Boxed, because this happens once per connection, not per request.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            ConnectError::refuse_tls(&uri)?;
            match timeout(connector.connect_timeout, connector.connect()).await {
                Ok(Ok(stream)) => Ok(TokioIo::new(stream)),
                Ok(Err(error)) => Err(ConnectError::socket(connector.path.to_path_buf(), error)),
                Err(_) => Err(ConnectError::socket_timeout(connector.path.to_path_buf())),
            }
        })
    }
}
