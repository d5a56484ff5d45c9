use std::{
    future::Future,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tower::Service;

use super::ConnectError;

/// Connects to a Unix socket, whatever the URI.
///
/// ```
/// use http_body_util::Empty;
/// use pmesh_layers::{connect::UnixConnector, pool::Pool};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool: Pool<_, Empty<bytes::Bytes>> = Pool::new(UnixConnector::new("/run/app.sock"), "http://app".parse()?);
/// # Ok(())
/// # }
/// ```
///
/// Cloning counts a reference.
#[derive(Debug, Clone)]
pub struct UnixConnector {
    path: Arc<Path>,
}

impl UnixConnector {
    /// Connects to the socket at `path`.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().into() }
    }
}

impl Service<Uri> for UnixConnector {
    type Response = TokioIo<UnixStream>;
    type Error = ConnectError;
    // Boxed: once a connection, not a request.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ConnectError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let path = Arc::clone(&self.path);
        // No timeout: the kernel accepts for the listener, or refuses at once.
        Box::pin(async move {
            let stream = UnixStream::connect(&path).await;
            stream.map(TokioIo::new).map_err(|error| ConnectError::socket(path.to_path_buf(), error))
        })
    }
}
