//! Clients in a process of their own. Each makes a request and holds its connection. One process has too few descriptors for
//! all of them.

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

/// The request of each client.
#[derive(Debug, Clone, Copy)]
pub struct HeldRequest<'a> {
    pub host: &'a str,
    pub path: &'a str,
    /// Whether there will be a response.
    pub answered: bool,
}

impl Holder {
    /// Starts `count` clients. Processes with different numbers use different source addresses.
    pub fn start(process: u8, address: SocketAddr, count: u32, request: HeldRequest<'_>) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        let source = Ipv4Addr::new(127, 6, process, 1);
        command.args([
            "hold",
            &address.to_string(),
            &count.to_string(),
            &source.to_string(),
            request.host,
            request.path,
        ]);
        let child = command.arg(request.answered.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Self(child.unwrap())
    }

    /// Waits until all requests have been sent, and the responses received if there are any.
    pub fn wait(&mut self) {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "all\n", "not all clients could connect or got a response");
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Call this first: in a process that was started to hold connections, it does not return.
pub fn maybe_run_holder() {
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
