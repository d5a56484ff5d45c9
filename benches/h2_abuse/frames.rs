//! Frames that are built once and sent on many streams, and the frames that come back.

use std::{
    io,
    sync::atomic::{AtomicU32, Ordering},
};

use tokio::{io::AsyncReadExt, net::tcp::OwnedReadHalf, sync::Notify};

use super::support::harness::h2;

/// A placeholder for the stream of a new request.
pub const NEW: u32 = 0x7fff_ffff;

/// Replaces [`NEW`] in all frames.
pub fn stamp(frames: &mut [u8], stream: u32) {
    let mut rest = frames;
    while let Some((head, after)) = rest.split_first_chunk_mut::<9>() {
        if head[5..] == NEW.to_be_bytes() {
            head[5..].copy_from_slice(&stream.to_be_bytes());
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        rest = &mut after[usize::try_from(length).unwrap()..];
    }
}

/// Counts of the frames that a client has received so far.
#[derive(Default)]
pub struct Received {
    /// Streams that have ended, with a response or otherwise.
    ended: AtomicU32,
    /// PING acknowledgements.
    pings: AtomicU32,
    changed: Notify,
}

impl Received {
    pub async fn wait_for_ended(&self, count: u32) {
        wait(&self.ended, count, &self.changed).await;
    }

    pub async fn wait_for_pings(&self, count: u32) {
        wait(&self.pings, count, &self.changed).await;
    }

    /// Reads until the connection is closed, and returns how. If `only_one` is set, it stops reading once a stream has
    /// ended, and never returns.
    pub async fn read(&self, mut stream: OwnedReadHalf, only_one: bool) -> String {
        let mut reason = None;
        loop {
            let frame = match next(&mut stream).await {
                Ok(frame) => frame,
                Err(error) => {
                    let end = if error.kind() == io::ErrorKind::UnexpectedEof { "FIN" } else { "RST" };
                    return reason.map_or(end.to_owned(), |reason| format!("{reason}, {end}"));
                }
            };
            let ends_stream = frame.ends_stream() || frame.kind == h2::RST_STREAM;
            if ends_stream {
                self.ended.fetch_add(1, Ordering::Relaxed);
            } else if frame.kind == h2::PING && frame.is_ack() {
                self.pings.fetch_add(1, Ordering::Relaxed);
            } else if frame.kind == h2::GOAWAY {
                reason = Some(goaway(&frame.payload));
            }
            self.changed.notify_one();
            if only_one && ends_stream {
                return std::future::pending().await;
            }
        }
    }
}

async fn wait(counter: &AtomicU32, count: u32, changed: &Notify) {
    while counter.load(Ordering::Relaxed) < count {
        changed.notified().await;
    }
}

async fn next(stream: &mut OwnedReadHalf) -> io::Result<h2::Frame> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut payload = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut payload).await?;
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    Ok(h2::Frame { kind: head[3], flags: head[4], stream, payload })
}

/// The error code of a GOAWAY (RFC 9113, 7) and its debug data.
fn goaway(payload: &[u8]) -> String {
    let names = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
    ];
    let name = payload.get(7).and_then(|&code| names.get(usize::from(code))).unwrap_or(&"?");
    let words = String::from_utf8_lossy(payload.get(8..).unwrap_or_default());
    format!("GOAWAY {name} {words}").trim().to_owned()
}
