use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

/// Frames and bytes that are read before others have their turn: tokio lets a task read 128 times in a row, which is
/// 100,000 frames of a flood.
const FRAMES_A_TURN: u32 = 64;
const BYTES_A_TURN: usize = 64 * 1024;
/// The most that is read at a time where frames come as dense as in a flood, and as long as it is not known how they
/// come: 113 of the shortest.
const SHORT_READ: usize = 1024;
/// Frames that are shorter on the average are dense.
const SHORT_FRAME: usize = 64;

/// What has come over a connection of HTTP/2 since its task last let others go on.
#[derive(Debug)]
pub(super) struct Turn {
    frames: u32,
    bytes: usize,
    dense: bool,
}

impl Turn {
    pub(super) fn new() -> Self {
        Self { frames: 0, bytes: 0, dense: true }
    }

    pub(super) fn end(&mut self) {
        (self.frames, self.bytes) = (0, 0);
    }

    pub(super) fn note(&mut self, frames: u32, bytes: usize) {
        self.frames += frames;
        self.bytes += bytes;
        if bytes >= SHORT_READ {
            self.dense = bytes / SHORT_FRAME < frames as usize;
        }
    }

    pub(super) fn poll_read<IO: AsyncRead>(
        &self,
        io: Pin<&mut IO>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.dense || buf.remaining() <= SHORT_READ {
            return io.poll_read(cx, buf);
        }
        let mut short = ReadBuf::new(buf.initialize_unfilled_to(SHORT_READ));
        ready!(io.poll_read(cx, &mut short))?;
        let read = short.filled().len();
        buf.advance(read);
        Poll::Ready(Ok(()))
    }

    pub(super) fn is_over(&self) -> bool {
        self.frames >= FRAMES_A_TURN || self.bytes >= BYTES_A_TURN
    }
}
