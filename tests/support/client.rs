//! An HTTP/1.1 client that sends any bytes, well formed or not, and reports how a connection ends.

use std::{
    collections::HashMap,
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
};

use super::{PATIENCE, h2::Answer, shown};

/// How a connection ended, as the client sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// A FIN. Over TLS, after the closing alert.
    Fin,
    /// A FIN without the closing alert, over TLS.
    FinWithoutAlert,
    Reset,
    /// The connection is still open.
    Open,
}

/// One connection, with or without TLS.
pub struct Client<S> {
    pub stream: S,
    unread: Vec<u8>,
    /// Answers to HTTP/2 requests that arrived before the test needed them, because streams can be answered in any order.
    pub(super) answered: HashMap<u32, Answer>,
}

impl Client<TcpStream> {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self::new(stream)
    }

    pub fn finish_sending(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

/// Sends `bytes`, and returns everything that arrives until the connection ends.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> (Vec<u8>, End) {
    let mut client = Client::connect(address);
    let sent = client.stream.write_all(bytes);
    let (got, end) = client.end();
    // A reset that follows a FIN shows on a write, not on a read.
    match sent.and_then(|()| client.stream.write_all(b"x")) {
        Err(error) if end == End::Fin => (got, end_by(&error)),
        _ => (got, end),
    }
}

/// A request without a body.
pub fn get(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

impl<S: Read + Write> Client<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, unread: Vec::new(), answered: HashMap::new() }
    }

    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
        self.stream.flush().unwrap();
    }

    /// Sends a GET for `path` and returns the response.
    #[track_caller]
    pub fn get(&mut self, host: &str, path: &str) -> Response {
        self.send(get(host, path));
        self.response()
    }

    /// The next response with its body.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        let mut response = self.head();
        let length = response.field("content-length").map(|value| value.parse::<usize>().unwrap());
        if response.field("transfer-encoding").is_some() {
            self.read_chunks(&mut response);
        } else if let Some(length) = length {
            response.body = self.take(length);
        } else if !matches!(response.status, 100..200 | 204 | 304) {
            response.body = self.end().0;
        }
        response
    }

    /// The head of the next response. For HEAD, 1xx, 204 and 304 that is all of it.
    #[track_caller]
    pub fn head(&mut self) -> Response {
        let end = loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.fill();
        };
        let head = String::from_utf8(self.take(end)).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let fields = lines.map(|line| line.split_once(':').unwrap());
        let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
        Response { status, fields, body: Vec::new(), trailers: Vec::new() }
    }

    #[track_caller]
    fn read_chunks(&mut self, response: &mut Response) {
        loop {
            let size = usize::from_str_radix(&self.line(), 16).unwrap();
            if size == 0 {
                break;
            }
            let chunk = self.take(size);
            response.body.extend(chunk);
            assert_eq!(self.line(), "");
        }
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else { break };
            response.trailers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// The next line, without its line end.
    #[track_caller]
    pub fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.windows(2).position(|two| two == b"\r\n") {
                let line = self.take(end + 2);
                return String::from_utf8(line).unwrap().trim_end().to_owned();
            }
            self.fill();
        }
    }

    /// Exactly `count` bytes.
    #[track_caller]
    pub fn take(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            self.fill();
        }
        self.unread.drain(..count).collect()
    }

    #[track_caller]
    fn fill(&mut self) {
        let mut buffer = [0; 16 * 1024];
        let count = self.stream.read(&mut buffer).unwrap_or_else(|error| {
            panic!("{error} after {}", shown(&self.unread));
        });
        assert!(count > 0, "the connection ended after {}", shown(&self.unread));
        self.unread.extend_from_slice(&buffer[..count]);
    }

    /// Waits for a byte. Returns `false` if the connection ends without any.
    pub fn gets_any_byte(&mut self) -> bool {
        let mut buffer = [0; 1024];
        let count = self.stream.read(&mut buffer).unwrap_or_default();
        self.unread.extend_from_slice(&buffer[..count]);
        count > 0
    }

    /// Everything until the connection ends, and how it ends.
    pub fn end(&mut self) -> (Vec<u8>, End) {
        let mut all = std::mem::take(&mut self.unread);
        let end = match self.stream.read_to_end(&mut all) {
            Ok(_) => End::Fin,
            Err(error) => end_by(&error),
        };
        (all, end)
    }
}

fn end_by(error: &io::Error) -> End {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => End::Open,
        ErrorKind::UnexpectedEof => End::FinWithoutAlert,
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => End::Reset,
        _ => panic!("{error}"),
    }
}

#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// Names in lower case.
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub trailers: Vec<(String, String)>,
}

impl Response {
    /// The first value of a header.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}
