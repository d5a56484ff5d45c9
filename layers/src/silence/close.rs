//! An end that tells nothing.

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

/// How long input is read and thrown away after the FIN; nginx's `lingering_timeout`.
const DRAIN_TIME: Duration = Duration::from_secs(5);
/// How much of it is read.
const DRAIN_BYTES: usize = 16 * 1024 * 1024;
/// So much at a time: whoever sends for as long as it is read shall not take the time of others.
const DRAIN_STEP: usize = 64 * 1024;

/// Ends a connection with a FIN and nothing else.
///
/// A socket that is closed while input is unread sends RST, which says that somebody was there and can destroy a
/// response that is still on its way. So the sending side is shut down first; then input is discarded until the
/// client ends too, for 5 seconds and 16 MiB at the most.
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
/// // An end, and no "connection reset by peer".
/// assert_eq!(client.read_to_end(&mut Vec::new()).await?, 0);
/// # Ok(())
/// # }
/// ```
pub async fn close<IO: IntoRaw>(io: IO) {
    close_within(io, DRAIN_BYTES).await;
}

/// As [`close()`], and reads no more than so many bytes.
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
    // Either end is the end.
    let _ = timeout(DRAIN_TIME, discard).await;
}

/// Reads and throws away a step of the input. Whether there may be more.
async fn discard_step<R: AsyncRead + Unpin>(input: &mut R) -> bool {
    let mut left = DRAIN_STEP;
    poll_fn(|cx| {
        // On the stack: a client that is being turned away holds no memory here.
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

/// A connection that can be ended below TLS, without a closing alert.
///
/// TCP, Unix sockets and tokio's pipes are their own transport. For a type of another crate, write a type of your own
/// around it.
pub trait IntoRaw {
    /// The transport.
    type Raw: AsyncRead + AsyncWrite + Unpin + Send;

    /// Takes the transport out.
    fn into_raw(self) -> Self::Raw;

    /// Ends the connection with a RST where the transport can: what was written and is not sent yet is given up.
    ///
    /// For a client that has stopped reading: it would hold the kernel's buffers long after a FIN, and must not take
    /// half a response for a whole one. By default the transport is dropped.
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
        // Fails only on a socket that is broken already.
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
