//! An HTTP/1.1 backend that the test controls step by step, behind a connector of pipes.

use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
};
use tower::util::BoxCloneSyncService;

pub(crate) type Connector = BoxCloneSyncService<Uri, TokioIo<DuplexStream>, std::io::Error>;

/// The backend. Connections from the pool arrive here.
pub(crate) struct Backend(mpsc::UnboundedReceiver<DuplexStream>);

pub(crate) fn backend() -> (Connector, Backend) {
    backend_behind(64 * 1024)
}

/// Like [`backend`], with pipes of this capacity.
pub(crate) fn backend_behind(pipe: usize) -> (Connector, Backend) {
    let (accept, accepted) = mpsc::unbounded_channel();
    let connector = tower::service_fn(move |_: Uri| {
        let (near, far) = tokio::io::duplex(pipe);
        let accepted = accept.send(far).map_err(|_| std::io::ErrorKind::ConnectionRefused.into());
        std::future::ready(accepted.map(|()| TokioIo::new(near)))
    });
    (BoxCloneSyncService::new(connector), Backend(accepted))
}

impl Backend {
    pub(crate) async fn accept(&mut self) -> Exchange {
        Exchange(self.0.recv().await.unwrap())
    }

    /// A connection, if one has already arrived.
    pub(crate) fn try_accept(&mut self) -> Option<DuplexStream> {
        self.0.try_recv().ok()
    }

    /// Whether a connection is waiting to be accepted.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.0.is_empty()
    }
}

/// The backend's end of a connection.
#[derive(Debug)]
pub(crate) struct Exchange(pub(crate) DuplexStream);

impl Exchange {
    /// The next request head.
    pub(crate) async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    pub(crate) async fn send(&mut self, bytes: &str) {
        self.0.write_all(bytes.as_bytes()).await.unwrap();
    }

    /// Reads a request without a body and responds with `body`.
    pub(crate) async fn answer(&mut self, body: &str) -> String {
        let head = self.head().await;
        self.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
        head
    }

    /// Whether the pool has closed the connection.
    pub(crate) async fn has_ended(&mut self) -> bool {
        let read = tokio::time::timeout(Duration::from_millis(1), self.0.read(&mut [0])).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    }
}

/// Lets all tasks run until none can make progress. Needs tokio's paused clock.
pub(crate) async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}
