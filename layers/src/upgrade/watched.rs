use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::atomic::{AtomicU32, Ordering},
    task::{Context, Poll},
};

use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::side::Kept;

/// One side of an open tunnel. Counts the pieces that pass through it.
pub(super) struct Watched<'a> {
    io: TokioIo<Upgraded>,
    kept: Kept,
    moved: &'a AtomicU32,
}

impl<'a> Watched<'a> {
    pub(super) fn new((io, kept): (Upgraded, Kept), moved: &'a AtomicU32) -> Self {
        Self { io: TokioIo::new(io), kept, moved }
    }

    fn on_write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let polled = write_slices!(Pin::new(&mut self.io), cx, bufs);
        // Writes count as much as reads: a slow reader is not idle.
        self.record(&polled);
        polled
    }

    fn record<T>(&self, polled: &Poll<T>) {
        if polled.is_ready() {
            self.moved.fetch_add(1, Ordering::Relaxed);
            self.kept.record_progress();
        }
    }
}

impl AsyncRead for Watched<'_> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        self.record(&polled);
        // hyper reports a RST_STREAM with CANCEL as an ordinary end of the stream. Its writing half knows about the
        // reset, and fails to flush. An HTTP/1.1 connection has nothing to flush here.
        if matches!(polled, Poll::Ready(Ok(())))
            && buf.filled().len() == before
            && buf.remaining() > 0
            && let Poll::Ready(Err(error)) = Pin::new(&mut self.io).poll_flush(cx)
        {
            return Poll::Ready(Err(error));
        }
        polled
    }
}

write_half!(impl[] AsyncWrite, for Watched<'_>, { write: on_write, vectored: through, flush: through, shutdown: through });
