//! How much is read of a connection in one turn, and when it writes.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, ReadBuf};

use super::turns::StreamTurns;

/// Frames and bytes that are read in a turn: tokio lets a task read 128 times in a row, which is 100,000 frames of a
/// flood.
const FRAMES_A_TURN: u32 = 32;
const BYTES_A_TURN: usize = 64 * 1024;
/// Each byte of a request's head takes as long as so many of a body: its fields are decoded, looked at and written anew.
const BYTES_A_BYTE_OF_HEAD: usize = 16;
/// Turns of a client that sends many frames until its streams are polled.
const TURNS_OF_READS: u32 = 16;
/// Turns that follow each other at once write together.
const TURNS_A_WRITE: u32 = 8;
/// The most that is read at a time where frames come as dense as in a flood, and as long as it is not known how they
/// come: 113 of the shortest.
const SHORT_READ: usize = 1024;
/// Frames that are shorter on the average are dense.
const SHORT_FRAME: usize = 64;

/// What has come over a connection of HTTP/2 in the present turn.
#[derive(Debug)]
pub(super) struct Reads {
    turns: StreamTurns,
    number: u32,
    frames: u32,
    bytes: usize,
    dense: bool,
    /// Whether all that may be read in this turn was, and h2 goes on to write. Where it writes before that, it has found
    /// an error, and its GOAWAY must not be held back.
    all_read: bool,
    /// Turns in a row in which as many frames came as are read in one.
    full: u32,
    /// So many turns in a row have written nothing so far, of which this was the last one.
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

    /// So much was read; `heads` is the length of the frames with requests' heads that begin in it.
    pub(super) fn note(&mut self, frames: u32, bytes: usize, heads: usize) {
        self.frames += frames;
        self.bytes = self.bytes.saturating_add(bytes + heads * (BYTES_A_BYTE_OF_HEAD - 1));
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

    /// Whether no more is to be read in this turn; there is another one soon then.
    ///
    /// A client that sends many frames is read first for some turns: if it sends more than it may, its requests need
    /// not begin.
    fn are_over(&mut self) -> bool {
        let number = self.turns.number();
        if number != self.number {
            // Not what was over in the turn before.
            self.full = if self.frames >= FRAMES_A_TURN { (self.full + 1) % TURNS_OF_READS } else { 0 };
            (self.number, self.frames, self.bytes) = (number, 0, 0);
        }
        let full = self.frames >= FRAMES_A_TURN;
        if full && self.full + 1 < TURNS_OF_READS {
            self.turns.postpone();
        }
        let over = full || self.bytes >= BYTES_A_TURN;
        if over {
            self.turns.set_soon();
        }
        over
    }

    /// Whether what is to be written now can wait for what the next turn brings: a client that is woken for each of a
    /// hundred responses costs more than they do.
    pub(super) fn hold_back(&mut self) -> bool {
        let number = self.turns.number();
        if !self.turns.is_soon() || !self.all_read || self.number != number {
            self.held_back = 0;
            return false;
        }
        if self.held_in != number {
            self.held_in = number;
            self.held_back = (self.held_back + 1) % TURNS_A_WRITE;
        }
        self.held_back != 0
    }
}
