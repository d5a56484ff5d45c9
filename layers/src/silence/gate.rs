//! The gate that holds writes back.

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

/// Held bytes beyond this end the connection: a client could make a server of h2 write without end (PING, SETTINGS).
const MAX_HELD: usize = 16 * 1024;

/// Bytes that a connection of HTTP/1 moves before others have their turn: a backend and a client that are both fast would
/// keep their two tasks awake, and the runtime looks for what has come to others after many tasks only.
const BYTES_A_TURN: usize = 64 * 1024;

/// The preface of a client that speaks HTTP/2 (RFC 9113, 3.4).
pub(crate) const H2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// An IO that holds writes back until its [`Control`] opens the gate, and gives its inner IO back when it is dropped.
///
/// A server of HTTP writes on its own before any service has seen a request: errors, `100 Continue`, SETTINGS. Behind
/// a gate none of it reaches a client that has not named a served host.
///
/// It is for a server that goes on writing, or flushes, once a service has opened the gate:
/// [`open_gate`](Control::open_gate) by itself lets nothing out, and wakes nobody who waits to read.
#[derive(Debug)]
pub struct Gate<IO> {
    /// `None` only in `drop`.
    io: Option<IO>,
    control: Control,
    /// Written while the gate was closed.
    held: Vec<u8>,
    /// Read ahead, not yet given to the reader.
    ahead: Vec<u8>,
    /// The gate was seen open and `held` is drained: nothing to check any more but silence.
    passing: bool,
    /// Each byte is a step of the one request that is in flight.
    watched: bool,
    /// What has moved in the present turn.
    moved: usize,
    lost: Lost<IO>,
}

impl<IO> Gate<IO> {
    /// Puts a gate before `io`. The second value gives `io` back once the gate was dropped.
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

    /// What was read of the connection before comes first.
    pub(crate) fn with_read_ahead(mut self, bytes: Vec<u8>) -> Self {
        self.ahead = bytes;
        self
    }

    /// Tells the control of what is read and written: for HTTP/1, where it belongs to one request.
    pub(crate) fn watch(&mut self) {
        self.watched = true;
        if !self.ahead.is_empty() {
            self.control.traffic().note_read();
        }
    }

    /// Pending where others are to have their turn first, and those that the runtime has yet to hear of.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.moved < BYTES_A_TURN {
            return Poll::Ready(());
        }
        self.moved = 0;
        pin!(yield_now()).poll(cx)
    }

    /// What waits for a turn is unsent, too: without a request in flight, the connection would pass for idle.
    fn note_written(&mut self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let (true, Poll::Ready(Ok(count))) = (self.watched, &written) {
            self.moved += count;
        }
        match written {
            Poll::Pending => self.control.traffic().note_unsent(),
            Poll::Ready(Ok(1..)) if self.watched || self.control.traffic().is_unsent() => {
                self.control.traffic().note_progress();
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
    /// Whether the client speaks HTTP/2 from its first byte. What is read to find out is not lost.
    ///
    /// # Errors
    ///
    /// Those of reading. An end of the stream is an answer: no.
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
    /// `Ready(true)` when writes may pass, `Ready(false)` when they are to be held.
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
            return self.note_written(written);
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
            Poll::Pending => self.control.traffic().note_unsent(),
            Poll::Ready(_) => self.control.traffic().note_sent(),
        }
        flushed
    }

    fn on_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Behind a closed gate whoever reclaims the IO ends it, so that every end looks the same.
        if !ready!(self.poll_passing(cx))? {
            return Poll::Ready(Ok(()));
        }
        let ended = self.io()?.poll_shutdown(cx);
        if self.watched && ended.is_pending() && !self.control.is_draining() {
            // Its server has ended, perhaps within a body: it must not pass for idle.
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
        self.control.note_holding();
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
            self.control.traffic().note_read();
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

/// Where a dropped gate leaves its IO. Locked twice in the life of a connection.
type Lost<IO> = Arc<Mutex<Option<IO>>>;

/// Gives back the IO of a [`Gate`] that some server owned and dropped.
#[derive(Debug)]
pub struct Reclaim<IO>(Lost<IO>);

impl<IO> Reclaim<IO> {
    /// The IO, once the gate was dropped.
    pub fn take(&self) -> Option<IO> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests;
