use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use tokio::sync::oneshot;

use crate::frame_head::{FRAME_HEAD, FrameHead};

/// The type of a SETTINGS frame, and the ACK flag, which acknowledges one (RFC 9113, 6.5).
const SETTINGS: u8 = 4;
const ACK: u8 = 1;

/// An IO that reports whether its first frame is a server's SETTINGS (RFC 9113, 3.4).
///
/// A pool waits for the report before it opens a stream. So it knows how many streams the peer allows, and whether they
/// can be tunnels, and never sends a request to a peer that speaks another protocol.
#[derive(Debug)]
pub(super) struct Greeting<IO> {
    io: IO,
    head: [u8; FRAME_HEAD],
    read: usize,
    /// How much of the frame is still to be read. `None` until its head has been read.
    left: Option<usize>,
    report: Option<oneshot::Sender<Result<(), Http2Error>>>,
}

/// The error of a connection to a peer that does not speak HTTP/2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Http2Error {
    /// The peer sent something other than a SETTINGS frame first.
    #[error("its first bytes are not SETTINGS: {0:?}")]
    NotHttp2(String),
    /// The peer closed the connection first.
    #[error("it closed the connection before its SETTINGS")]
    Closed,
    /// The peer sent no SETTINGS frame within the connect timeout.
    #[error("its SETTINGS did not arrive in time")]
    Timeout,
}

impl<IO> Greeting<IO> {
    /// Returns the IO and the receiver of the report, which is closed if the connection breaks.
    pub(super) fn new(io: IO) -> (Self, oneshot::Receiver<Result<(), Http2Error>>) {
        let (report, reported) = oneshot::channel();
        (Self { io, head: [0; FRAME_HEAD], read: 0, left: None, report: Some(report) }, reported)
    }

    fn saw(&mut self, bytes: &[u8]) {
        if let Some(left) = &mut self.left {
            *left -= bytes.len();
            if bytes.is_empty() {
                // The connection was closed within the frame.
                self.report = None;
            }
            return;
        }
        let end = (self.read + bytes.len()).min(FRAME_HEAD);
        self.head[self.read..end].copy_from_slice(&bytes[..end - self.read]);
        self.read = end;
        let ended = bytes.is_empty() && self.read > 0;
        if self.read == FRAME_HEAD || ended {
            match self.verdict() {
                Ok(length) => self.left = Some(length),
                Err(error) => self.report(Err(error)),
            }
        }
    }

    fn report(&mut self, verdict: Result<(), Http2Error>) {
        if let Some(report) = self.report.take() {
            // The receiver may have been dropped.
            let _ = report.send(verdict);
        }
    }

    /// Returns the length of the SETTINGS.
    fn verdict(&self) -> Result<usize, Http2Error> {
        match FrameHead::read(&self.head) {
            FrameHead { length, kind: SETTINGS, flags, stream: 0 } if self.read == FRAME_HEAD && flags & ACK == 0 => {
                Ok(length as usize)
            }
            _ => Err(Http2Error::NotHttp2(String::from_utf8_lossy(&self.head[..self.read]).into_owned())),
        }
    }
}

impl<IO: Read + Unpin> Read for Greeting<IO> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // hyper reads on only after it has applied the frame.
        if this.left == Some(0) {
            this.report(Ok(()));
        }
        if this.report.is_none() {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        let mut bytes = [0; 64];
        let room = this.left.unwrap_or(FRAME_HEAD - this.read).min(buf.remaining()).min(bytes.len());
        let mut head = ReadBuf::new(&mut bytes[..room]);
        ready!(Pin::new(&mut this.io).poll_read(cx, head.unfilled()))?;
        buf.put_slice(head.filled());
        this.saw(head.filled());
        Poll::Ready(Ok(()))
    }
}

write_half!(impl[IO: Write + Unpin] Write, for Greeting<IO>, { write: through, vectored: through, flush: through, shutdown: through });

#[cfg(test)]
mod tests {
    use super::*;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[test]
    fn only_settings_are_a_greeting() {
        let not = |text: &str| Err(Http2Error::NotHttp2(text.into()));
        for (pieces, expected) in [
            (&[&b"\0\0\x06\x04\0\0\0\0\0"[..]][..], Ok(())),
            (&[b"\0\0", b"\0\x04\0\0", b"\0\0\0"], Ok(())),
            (&[b"\0\0\0\x04\x01\0\0\0\0"], not("\0\0\0\x04\x01\0\0\0\0")),
            (&[b"\0\0\0\x04\0\0\0\0\x01"], not("\0\0\0\x04\0\0\0\0\x01")),
            (&[b"HTTP/1.1 "], not("HTTP/1.1 ")),
            (&[b"no", b""], not("no")),
        ] {
            let (mut greeting, mut report) = Greeting::new(());
            for piece in pieces {
                greeting.saw(piece);
            }
            match greeting.left {
                Some(_) => assert_eq!(Ok(()), expected),
                None => assert_eq!(report.try_recv().unwrap(), expected),
            }
        }
    }

    #[tokio::test]
    async fn the_report_arrives_once_the_frame_has_been_applied() {
        let (near, mut far) = tokio::io::duplex(64);
        let (greeting, mut report) = Greeting::new(TokioIo::new(near));
        let mut io = TokioIo::new(greeting);
        far.write_all(b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0").await.unwrap();
        let mut frame = [0; 15];
        io.read_exact(&mut frame[..14]).await.unwrap();
        assert!(report.try_recv().is_err());
        far.write_all(b"\x01more").await.unwrap();
        io.read_exact(&mut frame[14..]).await.unwrap();
        assert!(report.try_recv().is_err());
        io.read_exact(&mut frame[..4]).await.unwrap();
        assert_eq!(report.try_recv(), Ok(Ok(())));
        assert_eq!(&frame[..4], b"more");
    }
}
