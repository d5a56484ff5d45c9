//! Counts what an HTTP/2 client does.

use std::{
    future::{Future, poll_fn},
    io::{self, IoSlice},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::unconstrained,
};

use super::{
    allowance::Allowance,
    frames::{CONTINUATION, Frames, HEADERS, calm_down, is_substance},
    reads::Reads,
    turns::StreamTurns,
};
use crate::{conn::Control, silence::H2_PREFACE};

/// Frames without content that a client may send beyond what it earns, in a burst and per second. nghttp2 allows 10,000
/// of its "glitches" and 330 per second, up from 1000 and 33, but counts fewer kinds of frames. Go queues 10,000
/// replies to them. nginx accepts 8 MiB of them, which is 490,000 PINGs.
const MAX_FRAMES: u32 = 10_000;
const FRAMES_PER_SECOND: u32 = 1000;

/// Requests that a client may cancel beyond those that it lets finish, in a burst and per second. Envoy allows 500 and
/// then half of all; nghttp2 allows 1000 and 33 per second.
const MAX_CANCELLED: u32 = 500;
const CANCELLED_PER_SECOND: u32 = 50;

/// An HTTP/2 connection that ends when its client keeps the server busy for nothing.
///
/// Each frame from the client costs a token, except DATA with content, which earns one. Responses earn more: see
/// [`Traffic::worked`](crate::conn::Traffic::worked). Cancelled requests have a budget of their own, because a backend
/// has begun to work on each. Each DATA frame to the client counts as progress of a body.
///
/// | a well-behaved client sends | costs | earns |
/// | --- | --- | --- |
/// | a WINDOW_UPDATE for each 16 KiB of a download, for the stream and for the connection | 2 | 68 |
/// | the same for each message of 10 bytes, and a PING (gRPC, to estimate bandwidth) | 3 | 4 |
/// | a request: HEADERS, and an empty DATA that ends it | 2 | 16 and more |
/// | a PING for each gRPC message sent | 1 | 1 |
/// | SETTINGS, a tree of PRIORITY, `PRIORITY_UPDATE` for each of 100 images | 110 | 1600 |
#[derive(Debug)]
pub(super) struct Counted<IO> {
    io: IO,
    control: Control,
    incoming: Frames,
    outgoing: Frames,
    /// The stream of the last request.
    last: u32,
    frames: Allowance,
    cancels: Allowance,
    cancelled: u32,
    /// What was read in the current turn.
    reads: Reads,
}

impl<IO> Counted<IO> {
    pub(super) fn new(io: IO, control: Control, turns: StreamTurns) -> Self {
        Self {
            io,
            control,
            incoming: Frames::after(H2_PREFACE.len()),
            outgoing: Frames::after(0),
            last: 0,
            frames: Allowance::new(MAX_FRAMES, FRAMES_PER_SECOND),
            cancels: Allowance::new(MAX_CANCELLED, CANCELLED_PER_SECOND),
            cancelled: 0,
            reads: Reads::new(turns),
        }
    }

    /// Lifts the limits.
    pub(super) fn trusting(self) -> Self {
        let endless = || Allowance::new(u32::MAX, u32::MAX);
        Self { frames: endless(), cancels: endless(), ..self }
    }

    /// Counts what the client has sent. The error names the limit that it has exceeded.
    fn read(&mut self, bytes: &[u8]) -> Result<(), &'static str> {
        let Self { control, frames, last, reads, .. } = self;
        let (mut count, mut heads, mut enough) = (0, 0, true);
        self.incoming.walk(bytes, |head| {
            count += 1;
            if head.kind == HEADERS {
                *last = head.stream.max(*last);
            }
            if matches!(head.kind, HEADERS | CONTINUATION) {
                heads += head.length as usize;
            }
            if is_substance(head) {
                frames.give_back(1);
            } else {
                enough &= frames.spend(1, || control.traffic().worked());
            }
        });
        reads.count(count, bytes.len(), heads);
        if !enough {
            return Err("too many frames");
        }
        let cancelled = control.traffic().cancelled();
        if cancelled != self.cancelled {
            let more = cancelled.wrapping_sub(self.cancelled);
            self.cancelled = cancelled;
            if !self.cancels.spend(more, || control.traffic().completed()) {
                return Err("too many requests were cancelled");
            }
        }
        Ok(())
    }

    fn wrote(&mut self, bytes: &[u8]) {
        let mut moved = false;
        let frames = &mut self.frames;
        self.outgoing.walk(bytes, |head| {
            if is_substance(head) {
                moved = true;
                // For tunnels, which have no body.
                frames.give_back(head.length / 256);
            }
        });
        // A piece of a body is noted once, but may go out in many frames as the client opens its window.
        if moved {
            self.control.traffic().record_progress();
        }
    }
}

impl<IO: AsyncWrite + Unpin> Counted<IO> {
    fn on_write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.reads.hold_back() {
            return Poll::Pending;
        }
        let written = ready!(write_slices!(Pin::new(&mut self.io), cx, bufs))?;
        let mut left = written;
        for buf in bufs {
            let count = left.min(buf.len());
            self.wrote(&buf[..count]);
            left -= count;
        }
        Poll::Ready(Ok(written))
    }

    /// Ends the connection, with a GOAWAY if one can be written at once, because nothing is written later.
    fn end(&mut self, why: &'static str, cx: &mut Context<'_>) -> io::Error {
        self.control.mark_flooded();
        if self.outgoing.at_boundary() {
            let (io, goaway) = (&mut self.io, calm_down(self.last, why));
            // Unconstrained, because the task may have used up its share of the runtime, and there is no next poll.
            let written = unconstrained(poll_fn(|cx| {
                ready!(Pin::new(&mut *io).poll_write(cx, &goaway))?;
                Pin::new(&mut *io).poll_flush(cx)
            }));
            let _ = pin!(written).poll(cx);
        }
        io::Error::other(why)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Counted<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let Self { io, reads, .. } = &mut *self;
        ready!(reads.poll_read(Pin::new(io), cx, buf))?;
        let read = self.read(&buf.filled()[before..]);
        Poll::Ready(read.map_err(|why| self.end(why, cx)))
    }
}

write_half!(impl[IO: AsyncWrite + Unpin] AsyncWrite, for Counted<IO>, { write: on_write, vectored: through, flush: through, shutdown: through });

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;
    use tokio::io::{join, sink};

    /// The bytes of each turn, read as h2 reads.
    fn turns(frame: &[u8], count: usize) -> Vec<usize> {
        let bytes = [vec![0; H2_PREFACE.len()], frame.repeat(count)].concat();
        let all = StreamTurns::new(Control::open());
        let mut counted = Counted::new(join(bytes.as_slice(), sink()), Control::open(), all.clone()).trusting();
        let mut cx = Context::from_waker(Waker::noop());
        let (mut turns, mut turn, mut buffer) = (Vec::new(), 0, vec![0; 16 * 1024]);
        loop {
            let mut buf = ReadBuf::new(&mut buffer);
            match Pin::new(&mut counted).poll_read(&mut cx, &mut buf) {
                Poll::Ready(read) if buf.filled().is_empty() => {
                    read.unwrap();
                    return turns;
                }
                Poll::Ready(read) => {
                    read.unwrap();
                    turn += buf.filled().len();
                }
                Poll::Pending => {
                    turns.push(std::mem::take(&mut turn));
                    all.begin();
                }
            }
        }
    }

    #[test]
    fn other_connections_get_their_turn_during_a_flood() {
        let ping = [&[0, 0, 8, 6, 0, 0, 0, 0, 0][..], &[0; 8]].concat();
        let turns = turns(&ping, 10_000);
        assert!(turns.len() > 80 && turns.iter().all(|bytes| *bytes <= 2048), "{turns:?}");
    }

    #[test]
    fn a_large_head_takes_more_of_a_turn_than_a_body() {
        let head =
            |kind, length: u8| [&[0, length, 0, kind, 0, 0, 0, 0, 1][..], &vec![0; usize::from(length) << 8]].concat();
        for frames in [head(HEADERS, 0x40), [head(HEADERS, 0), head(CONTINUATION, 0x40)].concat()] {
            let turns = turns(&frames, 64);
            assert!(turns.len() > 40 && turns.iter().all(|bytes| *bytes < 36 * 1024), "{turns:?}");
        }
    }

    #[test]
    fn an_upload_is_read_in_long_turns() {
        let data = [&[0, 0x40, 0, 0, 0, 0, 0, 0, 1][..], &[0; 16 * 1024]].concat();
        let turns = turns(&data, 64);
        assert!(turns.len() < 20 && turns.iter().all(|bytes| *bytes < 128 * 1024), "{turns:?}");
    }
}
