//! HTTP/1.1 messages on a connection, read the way clients and backends do.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// Connects from a loopback address other than 127.0.0.1, so that ports there stay free for servers.
pub async fn connect(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((from, 0).into())?;
    let stream = socket.connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection, with the bytes that were read but not used yet.
pub struct Wire<S> {
    pub stream: S,
    unread: Vec<u8>,
}

/// The head of a message.
pub struct Head(String);

impl Head {
    /// The word at this index in the first line.
    pub fn word(&self, index: usize) -> &str {
        self.0.lines().next().and_then(|line| line.split(' ').nth(index)).unwrap_or_default()
    }

    /// The first value of a header.
    pub fn field(&self, name: &str) -> Option<&str> {
        let fields = self.0.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        self.word(1).parse().ok().filter(|_| self.0.starts_with("HTTP/1.1 "))
    }

    pub fn has_close(&self) -> bool {
        self.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, unread: Vec::new() }
    }

    pub fn into_parts(self) -> (S, Vec<u8>) {
        (self.stream, self.unread)
    }

    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// The next head; `None` if the connection ends before its first byte.
    pub async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = self.unread.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.unread.drain(..end + 4).collect();
                return String::from_utf8(head).map(|head| Some(Head(head))).map_err(|_| ErrorKind::InvalidData.into());
            }
            match self.fill().await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof && self.unread.is_empty() => return Ok(None),
                Err(error) => return Err(error),
            }
            if self.unread.len() > 1 << 20 {
                return Err(ErrorKind::InvalidData.into());
            }
        }
    }

    /// Reads and discards the body after a head. Returns its length, including the framing of chunks.
    pub async fn body(&mut self, head: &Head) -> io::Result<usize> {
        if head.field("transfer-encoding").is_some() {
            return self.chunks().await;
        }
        let length = head.field("content-length").map_or(Ok(0), str::parse::<usize>);
        let length = length.map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
        let mut left = length;
        loop {
            let used = left.min(self.unread.len());
            self.unread.drain(..used);
            left -= used;
            if left == 0 {
                return Ok(length);
            }
            self.fill().await?;
        }
    }

    /// Looks for the bytes of the last chunk, which no bench has in a body.
    async fn chunks(&mut self) -> io::Result<usize> {
        let mut length = 0;
        loop {
            let last = self.unread.windows(5).position(|five| five == b"0\r\n\r\n");
            let used = last.map_or(self.unread.len().saturating_sub(4), |start| start + 5);
            self.unread.drain(..used);
            length += used;
            if last.is_some() {
                return Ok(length);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.unread).await? {
            0 => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

impl Wire<TcpStream> {
    /// Whether the peer has closed an idle connection, or sent something unexpected.
    pub fn is_stale(&self) -> bool {
        let waiting = self.stream.try_read(&mut [0]);
        !self.unread.is_empty() || !waiting.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}
