//! HTTP/2 frames (RFC 9113), to send what no library would send.

use std::io::{Read, Write};

use super::Client;

pub const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn ends_stream(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }

    pub fn is_ack(&self) -> bool {
        matches!(self.kind, SETTINGS | PING) && self.flags & ACK != 0
    }
}

pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes()[..], payload].concat()
}

/// What each client sends first. Its SETTINGS turn off the dynamic table (RFC 9113, 6.5.2), so that each response can
/// be read on its own.
pub fn opening() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0])].concat()
}

pub fn ping(mark: u8) -> Vec<u8> {
    frame(PING, 0, 0, &[mark; 8])
}

pub fn data(stream: u32, bytes: &[u8], end: bool) -> Vec<u8> {
    frame(DATA, if end { END_STREAM } else { 0 }, stream, bytes)
}

/// HEADERS with the fields as literals without indexing (RFC 7541, 6.2.2), byte for byte.
pub fn headers(stream: u32, fields: &[(&str, &[u8])], end: bool) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        string(&mut block, name.as_bytes());
        string(&mut block, value);
    }
    frame(HEADERS, END_HEADERS | if end { END_STREAM } else { 0 }, stream, &block)
}

fn string(block: &mut Vec<u8>, bytes: &[u8]) {
    // An integer with a 7-bit prefix (RFC 7541, 5.1).
    match u8::try_from(bytes.len()) {
        Ok(short) if short < 127 => block.push(short),
        _ => {
            block.push(127);
            let mut rest = bytes.len() - 127;
            while rest >= 128 {
                block.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            block.push(u8::try_from(rest).unwrap());
        }
    }
    block.extend_from_slice(bytes);
}

/// A GET request.
pub fn get<'a>(host: &'a str, path: &'a str) -> Vec<(&'static str, &'a [u8])> {
    request("GET", host, path)
}

pub fn request<'a>(method: &'a str, host: &'a str, path: &'a str) -> Vec<(&'static str, &'a [u8])> {
    vec![
        (":method", method.as_bytes()),
        (":scheme", b"https"),
        (":authority", host.as_bytes()),
        (":path", path.as_bytes()),
    ]
}

/// An extended CONNECT (RFC 8441).
pub fn connect<'a>(protocol: &'a str, host: &'a str) -> Vec<(&'static str, &'a [u8])> {
    let fields = [&request("CONNECT", host, "/chat")[..], &[(":protocol", protocol.as_bytes())]].concat();
    [&fields[..], &[("sec-websocket-version", b"13")]].concat()
}

/// The answer to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Status(u16),
    StreamReset,
    GoAway,
    /// The connection ended.
    End,
}

impl<S: Read + Write> Client<S> {
    /// The next frame, or `None` at the end of the connection.
    pub fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// Reads until `stream` is answered, by the head of a response or otherwise.
    pub fn answer(&mut self, stream: u32) -> Answer {
        if let Some(answer) = self.answered.remove(&stream) {
            return answer;
        }
        while let Some(frame) = self.frame() {
            let answer = match frame.kind {
                // Without a status, these are trailers.
                HEADERS => match status(&frame.payload) {
                    Some(status) => Answer::Status(status),
                    None => continue,
                },
                RST_STREAM => Answer::StreamReset,
                GOAWAY => return Answer::GoAway,
                _ => continue,
            };
            if frame.stream == stream {
                return answer;
            }
            self.answered.entry(frame.stream).or_insert(answer);
        }
        Answer::End
    }

    /// Reads frames up to and including the first one that `last` accepts.
    #[track_caller]
    pub fn frames_until(&mut self, last: impl Fn(&Frame) -> bool) -> Vec<Frame> {
        let mut frames = Vec::new();
        while !frames.last().is_some_and(&last) {
            let Some(frame) = self.frame() else { panic!("the connection ended after {frames:?}") };
            frames.push(frame);
        }
        frames
    }
}

/// The value of `:status`, the first field of each response (RFC 7541, appendices A and B).
fn status(block: &[u8]) -> Option<u16> {
    // A size update for the dynamic table can come first (RFC 7541, 6.3).
    Some(match *block.strip_prefix(&[0x20]).unwrap_or(block) {
        [indexed @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
        // A literal with the name of entry 8: three digits in Huffman coding.
        [0x08 | 0x48, length, ref rest @ ..] if length & 0x80 != 0 => {
            let bits =
                rest.iter().take(usize::from(length & 0x7f)).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
            digits(bits << (32 - 8 * u32::from(length & 0x7f)))
        }
        [0x08 | 0x48, 3, a, b, c, ..] => {
            [a, b, c].iter().fold(0, |number, digit| number * 10 + u16::from(digit - b'0'))
        }
        _ => return None,
    })
}

/// Decodes three digits: 0 to 2 have 5-bit codes from 00000 on, 3 to 9 have 6-bit codes from 011001 on.
fn digits(mut bits: u32) -> u16 {
    let mut number = 0;
    for _ in 0..3 {
        let (digit, length) = match bits >> 27 {
            short @ 0..=2 => (short, 5),
            _ => ((bits >> 26) - 0b01_1001 + 3, 6),
        };
        number = number * 10 + u16::try_from(digit).unwrap();
        bits <<= length;
    }
    number
}
