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

/// What may come before the end of a response's head, in bytes: more than hyper takes for the head itself. Without an
/// end of their own, interim responses (1xx) would keep the connection's task, and with it the worker, busy for good.
const MAX_BEFORE_RESPONSE: usize = 512 * 1024;
/// Read at a time until then, to count it.
const PIECE: usize = 8 * 1024;
/// Nothing is counted.
const UNLIMITED: usize = usize::MAX;

/// How far an exchange over a connection of HTTP/1 has come, seen from below.
#[derive(Debug)]
pub(super) struct Meter {
    /// How much may still come before the response.
    left: AtomicUsize,
    /// Pieces that the endpoint has taken.
    written: AtomicU32,
    /// The endpoint takes no more for now.
    blocked: AtomicBool,
    /// A write has failed. The endpoint may have responded before.
    broken: AtomicBool,
    /// A response is still being read.
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

    /// A request is about to be sent.
    pub(super) fn begin(&self) {
        self.left.store(MAX_BEFORE_RESPONSE, Ordering::Relaxed);
        self.reading.store(true, Ordering::Relaxed);
    }

    /// Whether no byte of a response has arrived since [`begin`](Self::begin).
    pub(super) fn has_heard_nothing(&self) -> bool {
        self.left.load(Ordering::Relaxed) == MAX_BEFORE_RESPONSE
    }

    /// The head of its response is there.
    pub(super) fn responded(&self) {
        self.left.store(UNLIMITED, Ordering::Relaxed);
    }

    /// The response has been read to the end, or the protocol changes.
    pub(super) fn end(&self) {
        self.reading.store(false, Ordering::Relaxed);
    }

    /// Changes when the endpoint has taken something.
    pub(super) fn written(&self) -> u32 {
        self.written.load(Ordering::Relaxed)
    }

    /// Whether something is left that the endpoint does not take.
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

    fn note_written<T>(&self, polled: &Poll<io::Result<T>>) {
        self.blocked.store(polled.is_pending(), Ordering::Relaxed);
        if polled.is_ready() {
            // Written by the connection's task alone.
            self.written.store(self.written().wrapping_add(1), Ordering::Relaxed);
        }
    }
}

/// An IO with a [`Meter`].
///
/// When a write fails, hyper gives up the connection without reading what has arrived. But a server may respond and
/// close before it has read the whole request. The rest of the request then meets a reset, although the response has
/// arrived or is about to. So until the response has been read, the error of a failed write is held back, and becomes
/// the error that reading ends with.
#[derive(Debug)]
pub(super) struct Metered<IO> {
    io: IO,
    meter: Arc<Meter>,
    /// Why a write failed, until it is reported.
    failure: Option<io::Error>,
    /// Lives as long as the connection, whoever holds it.
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
        self.meter.note_written(&polled);
        polled
    }

    fn on_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.unless_failed(|io| Pin::new(io).poll_flush(cx))
    }

    /// Keeps a failure for the reader, which is woken by more data or by the end.
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
            return Poll::Ready(Err(io::Error::other("there is no end to what comes before the response")));
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

// A flush of TLS may be what writes.
write_half!(impl[IO: Write + Unpin] Write, for Metered<IO>, { write: on_write, vectored: through, flush: on_flush, shutdown: through });
