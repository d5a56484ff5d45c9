//! A backend that never responds, in several processes that share an address: one has too few descriptors for all connections.

use std::{
    env,
    io::{self, BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, Stdio, exit},
    thread,
};

use tokio::net::{TcpSocket, TcpStream};

use super::{process::raise_descriptor_limit, wire::Wire};

/// The one path that gets a response, after which the connection is closed.
pub const ANSWERED: &str = "/answered";

/// Kills the processes on drop.
pub struct Never {
    processes: Vec<Child>,
    pub address: SocketAddr,
}

impl Never {
    pub fn start(processes: u8) -> Self {
        let (first, address) = spawn("127.3.0.1:0");
        let others = (1..processes).map(|_| spawn(&address.to_string()).0);
        Self { processes: std::iter::once(first).chain(others).collect(), address }
    }
}

impl Drop for Never {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn spawn(address: &str) -> (Child, SocketAddr) {
    let mut command = Command::new(env::current_exe().unwrap());
    let mut child = command.args(["never", address]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim_end().parse().unwrap_or_else(|_| panic!("the backend does not listen on {address}")))
}

/// Call this first: in a process that was started as such a backend, it does not return.
pub fn maybe_run_silent_backend() {
    let arguments: Vec<String> = env::args().collect();
    let [_, word, address] = &arguments[..] else { return };
    if word == "never" {
        raise_descriptor_limit();
        // Standard input ends when the parent process exits.
        thread::spawn(|| {
            let _ = io::stdin().read(&mut [0]);
            exit(0);
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(serve(address.parse().unwrap())).unwrap();
    }
}

async fn serve(address: SocketAddr) -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    let listener = socket.listen(4096)?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve_connection(stream));
    }
}

async fn serve_connection(stream: TcpStream) -> io::Result<()> {
    let mut wire = Wire::new(stream);
    match wire.head().await? {
        Some(head) if head.word(1) == ANSWERED => {
            wire.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").await
        }
        // Holds the connection until the peer closes it.
        _ => wire.head().await.map(drop),
    }
}
