//! HTTP/2 frames, written and read by hand, so that tests control each byte.

use tokio::io::{AsyncRead, AsyncReadExt};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;

const END_STREAM_AND_HEADERS: u8 = 0x5;
/// HPACK's index of `:status: 200` (RFC 7541, appendix A).
const STATUS_200: u8 = 0x88;

/// The start of every client connection: the preface and SETTINGS.
pub(crate) fn hello() -> Vec<u8> {
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, &[])].concat()
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// A request without a body. Its headers are literals without indexing (RFC 7541, 6.2.2).
pub(crate) fn request(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).ok().filter(|length| *length < 127).unwrap());
            block.extend_from_slice(text.as_bytes());
        }
    }
    frame(HEADERS, END_STREAM_AND_HEADERS, stream, &block)
}

pub(crate) fn get(stream: u32, authority: &str) -> Vec<u8> {
    request(stream, &[(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", authority)])
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn is_ok_response(&self, stream: u32) -> bool {
        self.kind == HEADERS && self.stream == stream && self.payload.first() == Some(&STATUS_200)
    }
}

/// The next frame; `None` at the end.
pub(crate) async fn next_frame(io: &mut (impl AsyncRead + Unpin)) -> Option<Frame> {
    let mut head = [0; 9];
    io.read_exact(&mut head).await.ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
    let mut payload = vec![0; length as usize];
    io.read_exact(&mut payload).await.ok()?;
    Some(Frame { kind: head[3], flags: head[4], stream, payload })
}

/// All frames, up to and including the first for which `last` is true.
pub(crate) async fn frames_until(io: &mut (impl AsyncRead + Unpin), last: impl Fn(&Frame) -> bool) -> Vec<Frame> {
    let mut frames = Vec::new();
    loop {
        match next_frame(io).await {
            Some(frame) if last(&frame) => {
                frames.push(frame);
                return frames;
            }
            Some(frame) => frames.push(frame),
            None => panic!("the connection ended after {frames:?}"),
        }
    }
}
