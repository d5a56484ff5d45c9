//! A connection between nodes that does not outlive its secret.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::task::AtomicWaker;
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::{task::AbortHandle, time::sleep};

use super::Term;

/// A connection whose reads fail a grace period after its term is over.
#[derive(Debug)]
pub struct ExpiringIo<IO> {
    io: IO,
    cut: Arc<Cut>,
    /// The task that waits for the end of the grace period, so that reads only have to check a flag.
    waiting: AbortHandle,
}

#[derive(Debug, Default)]
struct Cut {
    is_cut: AtomicBool,
    reader: AtomicWaker,
}

impl<IO> ExpiringIo<IO> {
    pub(super) fn new(io: IO, mut term: Term, grace: Duration) -> Self {
        let cut = Arc::<Cut>::default();
        let shared = Arc::clone(&cut);
        let task = tokio::spawn(async move {
            term.ended().await;
            sleep(grace).await;
            shared.is_cut.store(true, Ordering::Release);
            shared.reader.wake();
        });
        Self { io, cut, waiting: task.abort_handle() }
    }

    fn check(&self) -> io::Result<()> {
        if self.cut.is_cut.load(Ordering::Acquire) {
            return Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "the secret that the connection was opened with has been removed",
            ));
        }
        Ok(())
    }
}

impl<IO> Drop for ExpiringIo<IO> {
    fn drop(&mut self) {
        self.waiting.abort();
    }
}

impl<IO: Read + Unpin> Read for ExpiringIo<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        if read.is_pending() {
            self.cut.reader.register(cx.waker());
        }
        // Checked after registering. Otherwise the end could come in between and be missed.
        self.check()?;
        read
    }
}

// Does not check for the end, because the reading side reports it.
write_half!(impl[IO: Write + Unpin] Write, for ExpiringIo<IO>, { write: through, vectored: through, flush: through, shutdown: through });
