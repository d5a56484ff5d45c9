use std::{
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use super::stats::Http1Open;

/// Maximum number of bytes up to the end of the response head: more than hyper accepts for the head itself. Without this
/// limit, an endless series of interim responses (1xx) would keep the connection's task, and with it the worker, busy
/// forever.
const MAX_BEFORE_RESPONSE: usize = 512 * 1024;
/// Size of a read while bytes are counted.
const PIECE: usize = 8 * 1024;
/// Value of `left` while bytes are not counted.
const UNLIMITED: usize = usize::MAX;

/// The progress of an exchange over an HTTP/1 connection, observed at its IO.
#[derive(Debug)]
pub(super) struct Meter {
    /// How many more bytes can arrive before the response.
    left: AtomicUsize,
    /// Number of writes.
    written: AtomicU32,
    /// Whether the last write is still pending, because the endpoint does not read.
    blocked: AtomicBool,
    /// Whether a write has failed. The endpoint may have responded before.
    broken: AtomicBool,
    /// Whether a response is expected or still being read.
    reading: AtomicBool,
}

impl Meter {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(UNLIMITED),
            written: AtomicU32::new(0),
            blocked: AtomicBool::new(false),
            broken: AtomicBool::new(false),
            reading: AtomicBool::new(false),
        })
    }

    /// Notes that a request is about to be sent.
    pub(super) fn begin(&self) {
        self.left.store(MAX_BEFORE_RESPONSE, Ordering::Relaxed);
        self.reading.store(true, Ordering::Relaxed);
    }

    /// Whether no byte of a response has arrived since [`begin`](Self::begin).
    pub(super) fn has_received_nothing(&self) -> bool {
        self.left.load(Ordering::Relaxed) == MAX_BEFORE_RESPONSE
    }

    /// Notes that the response head has arrived.
    pub(super) fn responded(&self) {
        self.left.store(UNLIMITED, Ordering::Relaxed);
    }

    /// Notes that the response has been read to the end, or that the protocol changes.
    pub(super) fn end(&self) {
        self.reading.store(false, Ordering::Relaxed);
    }

    /// A counter that changes with each write.
    pub(super) fn written(&self) -> u32 {
        self.written.load(Ordering::Relaxed)
    }

    /// Whether a write is pending because the endpoint does not read.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }

    fn is_reading(&self) -> bool {
        self.reading.load(Ordering::Relaxed)
    }

    /// Whether a write has failed.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    fn record_written<T>(&self, polled: &Poll<io::Result<T>>) {
        self.blocked.store(polled.is_pending(), Ordering::Relaxed);
        if polled.is_ready() {
            // Only the connection's task writes to the counter.
            self.written.store(self.written().wrapping_add(1), Ordering::Relaxed);
        }
    }
}

/// An IO with a [`Meter`].
///
/// When a write fails, hyper closes the connection without reading what has arrived. But a server can respond and close
/// before it has read the whole request. Sending the rest of the request then fails with a reset, although the response
/// has arrived or is about to. So until the response has been read, the error of a failed write is held back, and
/// reported at the end of reading.
#[derive(Debug)]
pub(super) struct Metered<IO> {
    io: IO,
    meter: Arc<Meter>,
    /// The error of a failed write, until it is reported.
    failure: Option<io::Error>,
    /// Counts the connection for as long as its IO exists.
    _open: Http1Open,
}

impl<IO> Metered<IO> {
    pub(super) fn new(io: IO, meter: Arc<Meter>, open: Http1Open) -> Self {
        Self { io, meter, failure: None, _open: open }
    }
}

impl<IO: Write + Unpin> Metered<IO> {
    fn on_write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = self.unless_failed(|io| write_slices!(Pin::new(io), cx, bufs));
        self.meter.record_written(&polled);
        polled
    }

    fn on_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unless_failed(|io| Pin::new(io).poll_flush(cx))
    }

    /// Keeps a failure for the reader, which wakes up when more data arrives or the connection is closed.
    fn unless_failed<R>(&mut self, act: impl FnOnce(&mut IO) -> Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        let failure = match self.failure.take() {
            Some(failure) => failure,
            None => match act(&mut self.io) {
                Poll::Ready(Err(failure)) => failure,
                polled => return polled,
            },
        };
        if !self.meter.is_reading() {
            return Poll::Ready(Err(failure));
        }
        self.failure = Some(failure);
        self.meter.broken.store(true, Ordering::Relaxed);
        Poll::Pending
    }
}

impl<IO: Read + Unpin> Read for Metered<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let left = this.meter.left.load(Ordering::Relaxed);
        if left == UNLIMITED && this.failure.is_none() {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        if left == 0 {
            return Poll::Ready(Err(io::Error::other("the endpoint sent too much before its response")));
        }
        let mut bytes = [const { MaybeUninit::uninit() }; PIECE];
        let room = PIECE.min(buf.remaining()).min(left);
        let mut piece = ReadBuf::uninit(&mut bytes[..room]);
        let read = ready!(Pin::new(&mut this.io).poll_read(cx, piece.unfilled()));
        let ended = read.is_err() || piece.filled().is_empty();
        if let Some(failure) = this.failure.take_if(|_| ended) {
            // The kernel reports a reset only once: after the failed write, reading may look like a clean end.
            this.meter.end();
            return Poll::Ready(Err(failure));
        }
        read?;
        buf.put_slice(piece.filled());
        if left != UNLIMITED {
            this.meter.left.store(left - piece.filled().len(), Ordering::Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

// With TLS, a flush can be the actual write.
write_half!(impl[IO: Write + Unpin] Write, for Metered<IO>, { write: on_write, vectored: through, flush: on_flush, shutdown: through });
