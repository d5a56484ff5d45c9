//! The gate that holds back writes.

use std::{
    future::Future,
    io::{self, IoSlice},
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    task::yield_now,
};

use crate::conn::Control;

/// Maximum number of bytes to hold. If there are more, the connection ends. Without a limit, a client could make an
/// HTTP/2 server write endlessly (PING, SETTINGS).
const MAX_HELD: usize = 16 * 1024;

/// Bytes that an HTTP/1 connection moves per turn. Without turns, a fast backend and a fast client would keep their two
/// tasks awake, and the runtime checks for new input only after it has polled many tasks.
const BYTES_PER_TURN: usize = 64 * 1024;

/// The preface of an HTTP/2 client (RFC 9113, 3.4).
pub(crate) const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An IO wrapper that holds back writes until its [`Control`] opens the gate.
///
/// An HTTP server writes on its own before any service has seen a request: errors, `100 Continue`, SETTINGS. Behind a
/// gate, none of it reaches a client that has not named a served host.
///
/// A gate works with servers that write or flush again after a service has opened it: [`open_gate`](Control::open_gate)
/// alone sends nothing, and wakes no task that is waiting to read.
///
/// When the server drops the gate, [`Reclaim`] returns the inner IO.
#[derive(Debug)]
pub struct Gate<IO> {
    /// `None` only in `drop`.
    io: Option<IO>,
    control: Control,
    /// Bytes written while the gate was closed.
    held: Vec<u8>,
    /// Bytes read ahead, not yet given to the reader.
    ahead: Vec<u8>,
    /// The gate is open and `held` is empty: only silence has to be checked.
    passing: bool,
    /// Each byte is progress of the single request in flight.
    watched: bool,
    /// Bytes moved in the current turn.
    moved: usize,
    lost: Lost<IO>,
}

impl<IO> Gate<IO> {
    /// Puts a gate in front of `io`. The second value returns `io` once the gate has been dropped.
    pub fn new(io: IO, control: Control) -> (Self, Reclaim<IO>) {
        let lost = Arc::new(Mutex::new(None));
        let gate = Self {
            io: Some(io),
            control,
            held: Vec::new(),
            ahead: Vec::new(),
            passing: false,
            watched: false,
            moved: 0,
            lost: Arc::clone(&lost),
        };
        (gate, Reclaim(lost))
    }

    /// Makes reads return these bytes first.
    pub(crate) fn with_read_ahead(mut self, bytes: Vec<u8>) -> Self {
        self.ahead = bytes;
        self
    }

    /// Reports reads and writes to the control. For HTTP/1, where they belong to one request.
    pub(crate) fn watch(&mut self) {
        self.watched = true;
        if !self.ahead.is_empty() {
            self.control.traffic().record_read();
        }
    }

    /// Pending if other tasks should go first, even tasks whose input the runtime has not seen yet.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.moved < BYTES_PER_TURN {
            return Poll::Ready(());
        }
        self.moved = 0;
        pin!(yield_now()).poll(cx)
    }

    /// Notes a write. Data that waits for its turn counts as unsent too. Otherwise, with no request in flight, the
    /// connection would look idle.
    fn record_written(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let (true, Poll::Ready(Ok(count))) = (self.watched, &written) {
            self.moved += count;
        }
        match written {
            Poll::Pending => self.control.traffic().mark_unsent(),
            Poll::Ready(Ok(1..)) if self.watched || self.control.traffic().is_unsent() => {
                self.control.traffic().record_progress();
            }
            Poll::Ready(_) => {}
        }
        written
    }

    fn io(&mut self) -> io::Result<Pin<&mut IO>>
    where
        IO: Unpin,
    {
        self.io.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl<IO: AsyncRead + Unpin> Gate<IO> {
    /// Returns whether the client speaks HTTP/2 from its first byte. Bytes that are read to find out are not lost.
    ///
    /// # Errors
    ///
    /// Fails if reading fails. If the stream ends, the result is `false`.
    pub async fn starts_with_h2_preface(&mut self) -> io::Result<bool> {
        let Some(io) = self.io.as_mut() else { return Ok(false) };
        while self.ahead.len() < H2_PREFACE.len() && H2_PREFACE.starts_with(&self.ahead) {
            if io.read_buf(&mut self.ahead).await? == 0 {
                return Ok(false);
            }
        }
        Ok(self.ahead.starts_with(H2_PREFACE))
    }
}

impl<IO: AsyncWrite + Unpin> Gate<IO> {
    /// `Ready(true)` if writes may pass, `Ready(false)` if they must be held.
    fn poll_passing(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        if self.control.is_silenced() {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.passing {
            return Poll::Ready(Ok(true));
        }
        if !self.control.is_open() {
            return Poll::Ready(Ok(false));
        }
        while !self.held.is_empty() {
            let Some(io) = self.io.as_mut() else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
            match ready!(Pin::new(io).poll_write(cx, &self.held))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => drop(self.held.drain(..written)),
            }
        }
        self.held = Vec::new();
        self.passing = true;
        Poll::Ready(Ok(true))
    }

    fn on_write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if ready!(self.poll_passing(cx))? {
            let written = match self.poll_turn(cx) {
                Poll::Ready(()) => write_slices!(self.io()?, cx, bufs),
                Poll::Pending => Poll::Pending,
            };
            return self.record_written(written);
        }
        let first = bufs.iter().find(|buf| !buf.is_empty()).map_or(&[][..], |buf| buf);
        Poll::Ready(self.hold(first))
    }

    fn on_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !ready!(self.poll_passing(cx))? {
            return Poll::Ready(Ok(()));
        }
        let flushed = self.io()?.poll_flush(cx);
        match flushed {
            Poll::Pending => self.control.traffic().mark_unsent(),
            Poll::Ready(_) => self.control.traffic().mark_sent(),
        }
        flushed
    }

    fn on_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Behind a closed gate, the task that reclaims the IO closes the connection, so that all rejections look the
        // same.
        if !ready!(self.poll_passing(cx))? {
            return Poll::Ready(Ok(()));
        }
        let ended = self.io()?.poll_shutdown(cx);
        if self.watched && ended.is_pending() && !self.control.is_draining() {
            // The server has ended, perhaps in the middle of a body, so the connection must not look idle.
            self.control.drain();
        }
        ended
    }

    fn is_vectored(&self) -> bool {
        self.io.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn hold(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.held.len() + bytes.len() > MAX_HELD {
            return Err(io::Error::other("too much was written before a served host was named"));
        }
        self.held.extend_from_slice(bytes);
        self.control.mark_bytes_held();
        Ok(bytes.len())
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Gate<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let count = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead[..count]);
            self.ahead.drain(..count);
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_turn(cx));
        let before = buf.filled().len();
        let read = self.io()?.poll_read(cx, buf);
        if self.watched && buf.filled().len() > before {
            self.moved += buf.filled().len() - before;
            self.control.traffic().record_read();
        }
        read
    }
}

write_half!(impl[IO: AsyncWrite + Unpin] AsyncWrite, for Gate<IO>, { write: on_write, vectored: is_vectored, flush: on_flush, shutdown: on_shutdown });

impl<IO> Drop for Gate<IO> {
    fn drop(&mut self) {
        *self.lost.lock().unwrap_or_else(PoisonError::into_inner) = self.io.take();
    }
}

/// Where a dropped gate leaves its IO. Locked twice per connection.
type Lost<IO> = Arc<Mutex<Option<IO>>>;

/// A handle that returns the IO of a [`Gate`] after the server has dropped the gate.
#[derive(Debug)]
pub struct Reclaim<IO>(Lost<IO>);

impl<IO> Reclaim<IO> {
    /// Returns the IO once the gate has been dropped; `None` before that, and after the first call that returned it.
    pub fn take(&self) -> Option<IO> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests;
