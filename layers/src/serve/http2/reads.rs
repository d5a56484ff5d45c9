//! How much is read from a connection in one turn, and when it writes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

use super::turns::StreamTurns;

/// Frames and bytes that are read per turn. tokio lets a task read 128 times in a row, which is 100,000 frames of a
/// flood.
const FRAMES_PER_TURN: u32 = 32;
const BYTES_PER_TURN: usize = 64 * 1024;
/// Each byte of a request head takes as long as this many bytes of a body: headers are decoded, checked and written
/// anew.
const HEAD_BYTE_WEIGHT: usize = 16;
/// A client that sends many frames has its streams polled only once in this many turns.
const TURNS_OF_READS: u32 = 16;
/// How many turns share one write if they directly follow each other.
const TURNS_PER_WRITE: u32 = 8;
/// The most bytes to read at a time while frames are as dense as in a flood, or while their density is not known yet:
/// enough for 113 of the shortest frames.
const SHORT_READ: usize = 1024;
/// Frames count as dense if they are shorter than this on average.
const SHORT_FRAME: usize = 64;

/// What was read from an HTTP/2 connection in the current turn.
#[derive(Debug)]
pub(super) struct Reads {
    turns: StreamTurns,
    number: u32,
    frames: u32,
    bytes: usize,
    dense: bool,
    /// Whether everything that may be read in this turn was read, so that h2 writes next. If it writes earlier, it has
    /// found an error, and its GOAWAY must not be held back.
    all_read: bool,
    /// Consecutive turns that reached the limit of frames.
    full: u32,
    /// Consecutive turns that have written nothing so far, and the number of the last one.
    held_back: u32,
    held_in: u32,
}

impl Reads {
    pub(super) fn new(turns: StreamTurns) -> Self {
        Self {
            number: turns.number(),
            turns,
            frames: 0,
            bytes: 0,
            dense: true,
            all_read: false,
            full: 0,
            held_back: 0,
            held_in: 0,
        }
    }

    /// Counts what was read. `heads` is the total length of the frames with request heads that begin in it.
    pub(super) fn count(&mut self, frames: u32, bytes: usize, heads: usize) {
        self.frames += frames;
        self.bytes = self.bytes.saturating_add(bytes + heads * (HEAD_BYTE_WEIGHT - 1));
        if bytes >= SHORT_READ {
            self.dense = bytes / SHORT_FRAME < frames as usize;
        }
    }

    pub(super) fn poll_read<IO: AsyncRead>(
        &mut self,
        io: Pin<&mut IO>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.all_read = true;
        if self.are_over() {
            return Poll::Pending;
        }
        if !self.dense || buf.remaining() <= SHORT_READ {
            ready!(io.poll_read(cx, buf))?;
        } else {
            let mut short = ReadBuf::new(buf.initialize_unfilled_to(SHORT_READ));
            ready!(io.poll_read(cx, &mut short))?;
            let read = short.filled().len();
            buf.advance(read);
        }
        self.all_read = false;
        Poll::Ready(Ok(()))
    }

    /// Whether nothing more may be read in this turn. Another turn then follows soon.
    ///
    /// While a client sends many frames, most turns only read, so that its requests do not even begin if it exceeds its
    /// limit.
    fn are_over(&mut self) -> bool {
        let number = self.turns.number();
        if number != self.number {
            // A new turn, with new limits.
            self.full = if self.frames >= FRAMES_PER_TURN { (self.full + 1) % TURNS_OF_READS } else { 0 };
            (self.number, self.frames, self.bytes) = (number, 0, 0);
        }
        let full = self.frames >= FRAMES_PER_TURN;
        if full && self.full + 1 < TURNS_OF_READS {
            self.turns.postpone();
        }
        let over = full || self.bytes >= BYTES_PER_TURN;
        if over {
            self.turns.set_soon();
        }
        over
    }

    /// Whether a write can wait for what the next turn brings. Waking a client for each of a hundred responses costs
    /// more than the responses do.
    pub(super) fn hold_back(&mut self) -> bool {
        let number = self.turns.number();
        if !self.turns.is_soon() || !self.all_read || self.number != number {
            self.held_back = 0;
            return false;
        }
        if self.held_in != number {
            self.held_in = number;
            self.held_back = (self.held_back + 1) % TURNS_PER_WRITE;
        }
        self.held_back != 0
    }
}
