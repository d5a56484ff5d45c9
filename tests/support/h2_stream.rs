//! One HTTP/2 stream as bytes, for protocols that a library speaks in a tunnel.

use std::io::{self, Read, Write};

use super::{
    Client,
    h2::{self, DATA, PING, RST_STREAM},
};

const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;

/// Reads and writes DATA, and opens the windows for the other side. It ignores the other side's windows, so writes must
/// not exceed them unless the stream is read in between.
pub struct Stream<S> {
    pub client: Client<S>,
    id: u32,
    unread: Vec<u8>,
    ended: bool,
}

impl<S: Read + Write> Stream<S> {
    pub fn new(client: Client<S>, id: u32) -> Self {
        Self { client, id, unread: Vec::new(), ended: false }
    }

    pub fn finish_sending(&mut self) {
        self.client.send(h2::data(self.id, b"", true));
    }
}

impl<S: Read + Write> Read for Stream<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.unread.is_empty() && !self.ended {
            let Some(frame) = self.client.frame() else { return Err(io::ErrorKind::UnexpectedEof.into()) };
            match frame.kind {
                DATA if frame.stream == self.id => {
                    self.ended = frame.ends_stream();
                    if let Some(length) = u32::try_from(frame.payload.len()).ok().filter(|length| *length > 0) {
                        let update = |stream| h2::frame(WINDOW_UPDATE, 0, stream, &length.to_be_bytes());
                        self.client.stream.write_all(&[update(0), update(self.id)].concat())?;
                    }
                    self.unread = frame.payload;
                }
                RST_STREAM if frame.stream == self.id => return Err(io::ErrorKind::ConnectionReset.into()),
                PING if !frame.is_ack() => self.client.stream.write_all(&h2::frame(PING, ACK, 0, &frame.payload))?,
                _ => {}
            }
        }
        let count = buffer.len().min(self.unread.len());
        buffer[..count].copy_from_slice(&self.unread[..count]);
        self.unread.drain(..count);
        Ok(count)
    }
}

impl<S: Read + Write> Write for Stream<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(16 * 1024);
        self.client.stream.write_all(&h2::data(self.id, &bytes[..count], false))?;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.client.stream.flush()
    }
}
