//! The load on each proxy, and the idle connections that it holds.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::Duration,
};

use super::{
    OTHER_CORE,
    peers::{HOST, Peer},
    support::{
        generator::{Run, h2load, new_connections, wrk},
        harness::{Client, tls::Tls},
        process::Process,
    },
};

/// Number of connections in the cases that measure memory.
const IDLE: u32 = 4000;

#[derive(Debug, Clone, Copy)]
pub enum Case {
    /// Requests over this many keep-alive connections.
    Http1 {
        tls: bool,
        connections: u32,
        path: &'static str,
    },
    /// A new connection for each request, this many at a time. wrk resumes its TLS sessions.
    Fresh {
        tls: bool,
        connections: u32,
    },
    /// This many TLS connections per second with one request each, without session resumption.
    Handshakes {
        rate: u32,
    },
    Http2 {
        connections: u32,
        streams: u32,
    },
    /// Idle connections, after one request each.
    Idle {
        tls: bool,
    },
}

pub const CASES: [(&str, Case); 11] = [
    ("h1", Case::Http1 { tls: false, connections: 64, path: "/small" }),
    ("tls", Case::Http1 { tls: true, connections: 64, path: "/small" }),
    ("h2", Case::Http2 { connections: 16, streams: 16 }),
    ("churn", Case::Fresh { tls: false, connections: 64 }),
    ("handshake", Case::Handshakes { rate: 500 }),
    ("resumed", Case::Fresh { tls: true, connections: 32 }),
    ("1m", Case::Http1 { tls: false, connections: 16, path: "/large" }),
    ("1mtls", Case::Http1 { tls: true, connections: 16, path: "/large" }),
    ("c1000", Case::Http1 { tls: false, connections: 1000, path: "/small" }),
    ("idle", Case::Idle { tls: false }),
    ("idletls", Case::Idle { tls: true }),
];

impl Case {
    pub fn is_idle(self) -> bool {
        matches!(self, Self::Idle { .. })
    }

    /// Runs the load for this long.
    pub fn run(self, peer: &Peer, time: Duration) -> Run {
        let core = Some(OTHER_CORE);
        let url = |tls: bool, path: &str| {
            let (scheme, port) = if tls { ("https", peer.https.port()) } else { ("http", peer.http.port()) };
            format!("{scheme}://{HOST}:{port}{path}")
        };
        match self {
            Self::Http1 { tls, connections, path } => wrk(core, &url(tls, path), connections, time, &[]),
            Self::Fresh { tls, connections } => {
                wrk(core, &url(tls, "/small"), connections, time, &["Connection: close"])
            }
            Self::Handshakes { rate } => new_connections(core, &url(true, "/small"), rate, time),
            Self::Http2 { connections, streams } => h2load(core, &url(true, "/small"), connections, streams, time),
            Self::Idle { .. } => unreachable!("idle connections are not a load"),
        }
    }

    /// By how much the memory of a freshly started proxy grows per connection, in KiB.
    pub fn memory(self, peer: &Peer, client: &Tls) -> f64 {
        let process = Process(peer.id());
        let before = process.tree_memory();
        let held: Vec<Box<dyn Write>> = match self {
            Self::Idle { tls: false } => (0..IDLE).map(|_| plain(peer.http)).collect(),
            _ => (0..IDLE).map(|_| over_tls(client, peer.https)).collect(),
        };
        // Some memory is freed, or counted, a little later.
        thread::sleep(Duration::from_secs(1));
        let grown = process.tree_memory() - before;
        drop(held);
        grown / f64::from(IDLE)
    }
}

fn plain(address: SocketAddr) -> Box<dyn Write> {
    let mut client = Client::connect(address);
    request(&mut client);
    Box::new(client.stream)
}

fn over_tls(client: &Tls, address: SocketAddr) -> Box<dyn Write> {
    let mut client = client.connect(address, HOST).unwrap();
    request(&mut client);
    Box::new(client.stream)
}

fn request<S: Read + Write>(client: &mut Client<S>) {
    assert_eq!(client.get(HOST, "/small").status, 200);
}
