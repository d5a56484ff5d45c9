//! The backend's side of [`super::backend`].
//!
//! Before it does anything else with a request, it writes the method and path to a file. It responds to `/size/N` with N bytes,
//! to a WebSocket upgrade with an echo, and to everything else with the length of the request's body.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    process::exit,
    sync::atomic::{AtomicU8, Ordering},
    thread,
    time::Duration,
};

use tokio::{
    io::AsyncReadExt,
    net::{TcpSocket, TcpStream},
    time::sleep,
};
use tungstenite::{WebSocket, handshake::derive_accept_key, protocol::Role};

use super::{
    backend::Behaviour,
    process::raise_descriptor_limit,
    wire::{Head, Wire},
};

/// The listen backlog; 511 is usual. Beyond it, connections are dropped and retried after a second. With tokio's 128, a burst
/// of new connections would measure that second.
const BACKLOG: u32 = 1024;

static BEHAVIOUR: AtomicU8 = AtomicU8::new(Behaviour::Answer as u8);

/// Call this first: in a process that was started as a backend, it does not return.
pub fn maybe_run_backend() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, word, address, record] = &arguments[..] else { return };
    if word == "backend" {
        let record = OpenOptions::new().append(true).open(record).unwrap();
        raise_descriptor_limit();
        thread::spawn(obey);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(serve(address, Box::leak(Box::new(record)))).unwrap();
    }
}

/// Each byte on standard input sets the behaviour. Standard input ends when the parent process exits.
fn obey() {
    for byte in io::stdin().lock().bytes().map_while(Result::ok) {
        BEHAVIOUR.store(byte, Ordering::Relaxed);
    }
    exit(0);
}

fn behaviour() -> Behaviour {
    Behaviour::ALL[usize::from(BEHAVIOUR.load(Ordering::Relaxed))]
}

async fn serve(address: &str, record: &'static File) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    // The backend is restarted on the same port.
    socket.set_reuseaddr(true)?;
    socket.bind(address.parse().map_err(io::Error::other)?)?;
    let listener = socket.listen(BACKLOG)?;
    println!("{}", listener.local_addr()?);
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_connection(stream, record));
        }
    }
}

async fn serve_connection(stream: TcpStream, mut record: &File) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire = Wire::new(stream);
    while let Some(head) = wire.head().await? {
        let length = wire.body(&head).await?;
        // One write, so that a killed process leaves no half line.
        record.write_all(format!("{} {}\n", head.word(0), head.word(1)).as_bytes())?;
        match behaviour() {
            Behaviour::Answer => {}
            Behaviour::Slow => sleep(Duration::from_millis(500)).await,
            Behaviour::Reset => return wire.stream.set_zero_linger(),
            Behaviour::HalfClose => {
                use tokio::io::AsyncWriteExt;
                wire.stream.shutdown().await?;
                while wire.stream.read(&mut [0; 1024]).await? > 0 {}
                return Ok(());
            }
            Behaviour::Garbage => {
                wire.send(&[0x15, 0x03, 0x01, b'\r', b'\n', 0, 0xff, b'\r', b'\n', b'\r', b'\n']).await?;
                continue;
            }
        }
        if let Some(key) = head.field("sec-websocket-key") {
            let key = derive_accept_key(key.as_bytes());
            return echo(wire, &key).await;
        }
        wire.send(&answer(&head, length)).await?;
    }
    Ok(())
}

fn answer(head: &Head, length: usize) -> Vec<u8> {
    let size = head.word(1).strip_prefix("/size/").and_then(|size| size.parse().ok());
    let body = size.map_or_else(|| length.to_string().into_bytes(), |size| vec![b'x'; size]);
    let mut bytes = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend(body);
    bytes
}

async fn echo(mut wire: Wire<TcpStream>, key: &str) -> io::Result<()> {
    let fields = format!("Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {key}");
    wire.send(format!("HTTP/1.1 101 Switching Protocols\r\n{fields}\r\n\r\n").as_bytes()).await?;
    let (stream, unread) = wire.into_parts();
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    thread::spawn(move || {
        let mut socket = WebSocket::from_partially_read(stream, unread, Role::Server, None);
        while let Ok(message) = socket.read() {
            if !message.is_close() && socket.send(message).is_err() {
                return;
            }
        }
    });
    Ok(())
}
