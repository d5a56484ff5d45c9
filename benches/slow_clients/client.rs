//! One slow client.

use std::{
    fmt, io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::Interest,
    net::{TcpSocket, TcpStream},
    sync::Semaphore,
    time::{Instant, interval_at, timeout},
};

use super::kinds::{Kind, Reading};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Fin,
    Reset,
    Open,
    NoConnection,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fin => "FIN",
            Self::Reset => "RST",
            Self::Open => "open",
            Self::NoConnection => "no connection",
        })
    }
}

/// The observations of one client.
pub struct Seen {
    pub bytes: u32,
    pub end: End,
    pub after: Duration,
}

/// The part that differs between clients.
pub struct Client {
    pub number: u32,
    /// When it sends its byte, within each second after connecting.
    pub phase: Duration,
}

/// Runs the client until its connection ends, or for `patience` after it has connected.
pub async fn run(kind: &Kind, address: SocketAddr, client: Client, connecting: &Semaphore, patience: Duration) -> Seen {
    let mut seen = Seen { bytes: 0, end: End::NoConnection, after: Duration::ZERO };
    let stream = {
        let _permit = connecting.acquire().await;
        connect(kind, address, client.number).await
    };
    let Ok(stream) = stream else { return seen };
    let start = Instant::now();
    let end = timeout(patience, until_end(kind, &stream, client.phase, &mut seen.bytes)).await;
    seen.end = match end {
        Err(_) => End::Open,
        Ok(Ok(())) => End::Fin,
        Ok(Err(_)) => End::Reset,
    };
    seen.after = start.elapsed();
    seen
}

async fn connect(kind: &Kind, address: SocketAddr, number: u32) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if kind.reading != Reading::AtOnce {
        socket.set_recv_buffer_size(4096)?;
    }
    let source = Ipv4Addr::from_bits(Ipv4Addr::new(127, 5, 0, 1).to_bits() + number % 50);
    socket.bind((source, 0).into())?;
    let stream = socket.connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads until a FIN, or the error that stands for a RST.
async fn until_end(kind: &Kind, stream: &TcpStream, phase: Duration, bytes: &mut u32) -> io::Result<()> {
    let mut seconds = interval_at(Instant::now() + phase, Duration::from_secs(1));
    // The send buffer of a new connection has room for this.
    stream.try_write(&kind.first)?;
    let mut rest = kind.then.iter().cycle();
    loop {
        tokio::select! {
            ready = stream.readable(), if kind.reading == Reading::AtOnce => {
                ready?;
                if read(stream, 16 * 1024, bytes)? {
                    return Ok(());
                }
            }
            _ = seconds.tick() => {
                if let Some(byte) = rest.next() {
                    ignore_full(stream.try_write(&[*byte]))?;
                }
                if kind.reading != Reading::AtOnce && has_ended(stream).await? {
                    return Ok(());
                }
                if kind.reading == Reading::Slowly && read(stream, 1, bytes)? {
                    return Ok(());
                }
            }
        }
    }
}

/// Reads up to `most` bytes. Returns whether the stream has ended.
fn read(stream: &TcpStream, most: usize, bytes: &mut u32) -> io::Result<bool> {
    let mut buffer = vec![0; most];
    let read = ignore_full(stream.try_read(&mut buffer))?;
    *bytes += u32::try_from(read.unwrap_or_default()).unwrap();
    Ok(read == Some(0))
}

/// Whether a FIN has arrived, even if unread bytes are in front of it.
async fn has_ended(stream: &TcpStream) -> io::Result<bool> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    // Ready at once, because the socket is writable.
    let ready = stream.ready(Interest::READABLE | Interest::WRITABLE).await?;
    Ok(ready.is_read_closed())
}

fn ignore_full(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        other => other.map(Some),
    }
}
