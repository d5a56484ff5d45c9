//! Closes a connection without revealing anything.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf},
    net::{TcpStream, UnixStream},
    task::yield_now,
    time::timeout,
};

/// How long to read and discard input after the FIN, like nginx's `lingering_timeout`.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// How much input to read and discard.
const DRAIN_BYTES: usize = 16 * 1024 * 1024;
/// Bytes to read per step, so that a client that keeps sending does not starve others.
const DRAIN_STEP: usize = 64 * 1024;

/// Closes a connection with a FIN and nothing else.
///
/// Closing a socket with unread input sends a RST. That would reveal that a server was there, and could destroy a
/// response that is still on its way. So this function shuts down the sending side first. Then it discards input until
/// the client closes too, for at most 5 seconds and 16 MiB.
///
/// ```
/// use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::{TcpListener, TcpStream}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let mut client = TcpStream::connect(listener.local_addr()?).await?;
/// client.write_all(b"who is there?").await?;
/// let (server, _) = listener.accept().await?;
/// tokio::spawn(pmesh_layers::silence::close(server));
/// // The connection just ends, without "connection reset by peer".
/// assert_eq!(client.read_to_end(&mut Vec::new()).await?, 0);
/// # Ok(())
/// # }
/// ```
pub async fn close<IO: IntoRaw>(io: IO) {
    close_within(io, DRAIN_BYTES).await;
}

/// Like [`close()`], but reads at most `bytes` bytes.
pub(crate) async fn close_within<IO: IntoRaw>(io: IO, bytes: usize) {
    let mut raw = io.into_raw();
    if raw.shutdown().await.is_err() {
        return;
    }
    let discard = async {
        for _ in 0..bytes.div_ceil(DRAIN_STEP) {
            if !discard_step(&mut raw).await {
                break;
            }
            yield_now().await;
        }
    };
    // It makes no difference whether the client or the timeout ends this.
    let _ = timeout(DRAIN_TIME, discard).await;
}

/// Reads and discards some input. Returns whether there may be more.
async fn discard_step<R: AsyncRead + Unpin>(input: &mut R) -> bool {
    let mut left = DRAIN_STEP;
    poll_fn(|cx| {
        // On the stack: a rejected client holds no memory here.
        let mut buffer = [0; 8 * 1024];
        while left > 0 {
            let mut read = ReadBuf::new(&mut buffer);
            match ready!(Pin::new(&mut *input).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => left = left.saturating_sub(read.filled().len()),
                Ok(()) | Err(_) => return Poll::Ready(false),
            }
        }
        Poll::Ready(true)
    })
    .await
}

/// A connection that can be closed below TLS, without a closing alert.
///
/// TCP streams, Unix sockets and tokio's in-memory pipes are their own transport. For a type of another crate, write a
/// wrapper.
pub trait IntoRaw {
    /// The transport.
    type Raw: AsyncRead + AsyncWrite + Unpin + Send;

    /// Returns the transport.
    fn into_raw(self) -> Self::Raw;

    /// Closes the connection with a RST if the transport can, and discards written data that has not been sent.
    ///
    /// This is for a client that has stopped reading. After a FIN, unsent data would occupy the kernel's buffers for a
    /// long time, and the client must not mistake half a response for a whole one. By default, the transport is
    /// dropped.
    fn reset(self)
    where
        Self: Sized,
    {
        drop(self.into_raw());
    }
}

impl IntoRaw for TcpStream {
    type Raw = Self;

    fn into_raw(self) -> Self {
        self
    }

    fn reset(self) {
        // Fails only on a socket that is already broken.
        let _ = self.set_zero_linger();
    }
}

impl IntoRaw for UnixStream {
    type Raw = Self;

    fn into_raw(self) -> Self {
        self
    }
}

impl<IO: IntoRaw> IntoRaw for Box<IO> {
    type Raw = IO::Raw;

    fn into_raw(self) -> IO::Raw {
        (*self).into_raw()
    }

    fn reset(self) {
        (*self).reset();
    }
}

impl IntoRaw for DuplexStream {
    type Raw = Self;

    fn into_raw(self) -> Self {
        self
    }
}

#[cfg(feature = "tls")]
impl<IO: IntoRaw> IntoRaw for tokio_rustls::server::TlsStream<IO> {
    type Raw = IO::Raw;

    fn into_raw(self) -> IO::Raw {
        self.into_inner().0.into_raw()
    }

    fn reset(self) {
        self.into_inner().0.reset();
    }
}
