//! Clients in a process of their own that make a request each and hold their connections: one process has not enough
//! descriptors for all.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::{Child, Command, Stdio, exit},
};

use socket2::{Domain, Socket, Type};

use super::{
    harness::{Client, client::get},
    process::raise_descriptor_limit,
};

/// Source addresses of the clients of a process.
const SOURCES: u32 = 10;

/// Clients that hold their connections until this is dropped.
pub struct Holder(Child);

/// The requested path.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub host: &'a str,
    pub path: &'a str,
    /// Whether there will be a response.
    pub answered: bool,
}

impl Holder {
    /// Starts `count` clients. The number `process` gives them source addresses that other processes do not use.
    pub fn start(process: u8, address: SocketAddr, count: u32, asked: Asked<'_>) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        let source = Ipv4Addr::new(127, 6, process, 1);
        command.args(["hold", &address.to_string(), &count.to_string(), &source.to_string(), asked.host, asked.path]);
        let child = command.arg(asked.answered.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Self(child.unwrap())
    }

    /// Waits until all requests have been sent, and the responses received if there are any.
    pub fn wait(&mut self) {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "all\n", "not all clients could connect and got a response");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Call this first: in a process that was started to hold connections, it does not return.
pub fn hold_if_told() {
    let arguments: Vec<String> = env::args().collect();
    let [_, word, address, count, source, host, path, answered] = &arguments[..] else { return };
    if word == "hold" {
        raise_descriptor_limit();
        let (source, address) = (source.parse::<Ipv4Addr>().unwrap(), address.parse().unwrap());
        let held: Vec<TcpStream> = (0..count.parse().unwrap())
            .map(|number| {
                let source = Ipv4Addr::from_bits(source.to_bits() + number % SOURCES);
                let mut client = Client::new(connect(source, address));
                client.send(get(host, path));
                if answered == "true" {
                    assert_eq!(client.response().status, 200);
                }
                client.stream
            })
            .collect();
        println!("all");
        // Until the parent process exits.
        let _ = std::io::stdin().read(&mut [0]);
        drop(held);
        exit(0);
    }
}

fn connect(source: Ipv4Addr, address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.set_tcp_nodelay(true).unwrap();
    socket.into()
}
