//! Limits on the number of connections, in total and per client.

use std::net::{SocketAddr, TcpStream};

use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};

use crate::{
    making_room::{self, assert_echo, tunnel},
    support::{Backend, Client, End, Start, client::exchange, client::get, tls::Tls},
};

#[test]
fn connections_beyond_the_limit_wait() {
    let backend = making_room::backend();
    let program = Start::new().workers(1).route("a.test", &backend).flags(&["--max-connections", "2"]).run();
    let mut open: Vec<_> = (0..2).map(|_| tunnel(&program)).collect();
    let mut waiting: Vec<_> = (0..3).map(|_| Client::connect(program.http())).collect();
    for client in &mut waiting {
        client.send("GET /waited HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    }
    program.wait_for_line("connection limit reached: idle connections");
    open.iter_mut().for_each(assert_echo);
    // One for each tunnel, and none for the clients that wait.
    assert_eq!(backend.connections().len(), 2);
    open.pop();
    for client in &mut waiting {
        assert_eq!(client.response().status, 200);
    }
}

/// A connection from another address of this machine.
fn connect_from(source: [u8; 4], address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}

#[test]
fn connections_beyond_the_limit_of_a_client_get_silence() {
    let backend = Backend::answering("ok");
    let flags = ["--max-connections-per-client", "4"];
    let mut program = Start::new().route("a.test", &backend).flags(&flags).run();
    let mut open: Vec<_> = (0..4).map(|_| Client::connect(program.http())).collect();
    for client in &mut open {
        assert_eq!(client.get("a.test", "/").status, 200);
    }
    let request = get("a.test", "/").into_bytes();
    for address in [program.http(), program.https(), program.internal()] {
        assert_eq!(exchange(address, &request), (Vec::new(), End::Fin));
    }
    assert_eq!(Client::new(connect_from([127, 0, 0, 2], program.http())).get("a.test", "/").status, 200);
    drop(open);
    // The program notices with some delay.
    let answered = (0..100_000).any(|_| {
        let (answer, _) = exchange(program.http(), b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
        answer.starts_with(b"HTTP/1.1 200")
    });
    assert!(answered);
    program.signal(Signal::SIGTERM);
    program.wait();
    assert!(program.wait_for_line("stopped").contains("too_many_connections"));
}

/// What strangers send first, on each port.
const BEGINNINGS: [&[u8]; 4] =
    [b"", b"GET / HTTP/1.1\r\nHost: a.te", b"\x16\x03\x01", b"GET / HTTP/1.1\r\nHost: b.test\r\n\r\n"];

#[test]
fn strangers_cannot_keep_clients_out() {
    let backend = Backend::answering("ok");
    let flags = ["--max-connections", "8", "--silence-deadline", "1h"];
    let mut program = Start::new().route("a.test", &backend).flags(&flags).run();
    let ports = [program.http(), program.https()];
    let mut served = Client::connect(program.http());
    assert_eq!(served.get("a.test", "/").status, 200);

    let mut strangers = Vec::new();
    let tls = Tls::trusting(&program);
    for round in 0..6 {
        for (address, beginning) in ports.into_iter().flat_map(|port| BEGINNINGS.map(|bytes| (port, bytes))) {
            let mut stranger = Client::connect(address);
            stranger.send(beginning);
            strangers.push(stranger);
        }
        let mut client = Client::connect(program.http());
        assert_eq!(client.get("a.test", "/").status, 200, "{round}");
        let mut client = tls.connect(program.https(), "a.test").unwrap();
        assert_eq!(client.get("a.test", "/").status, 200, "{round}");
        // Served clients are not closed.
        assert_eq!(served.get("a.test", "/").status, 200, "{round}");
    }
    // Later ones may still be open.
    for stranger in &mut strangers[..24] {
        assert_eq!(stranger.end(), (Vec::new(), End::Fin));
    }
    program.signal(Signal::SIGTERM);
    program.wait();
    assert!(program.wait_for_line("stopped").contains("crowded_out"));
}

#[test]
fn strangers_closed_to_make_room_are_counted() {
    for beginning in ["", "\r\n", "GET / HTTP/1.1\r\nHo"] {
        let flags = ["--max-connections", "4", "--silence-deadline", "1h"];
        let mut program = Start::new().workers(1).flags(&flags).run();
        let connect = |_| {
            let mut stranger = Client::connect(program.http());
            stranger.send(beginning);
            stranger
        };
        let mut strangers: Vec<_> = (0..12).map(connect).collect();
        for stranger in &mut strangers[..8] {
            assert_eq!(stranger.end(), (Vec::new(), End::Fin));
        }
        program.signal(Signal::SIGTERM);
        program.wait();
        let line = program.wait_for_line("stopped");
        assert!(line.contains("crowded_out 8"), "{beginning:?}: {line}");
    }
}

#[test]
fn served_clients_can_use_every_slot() {
    let backend = making_room::backend();
    let flags = ["--max-connections", "8", "--silence-deadline", "1h"];
    let program = Start::new().route("a.test", &backend).flags(&flags).run();
    let _strangers: Vec<_> = (0..20).map(|_| Client::connect(program.http())).collect();
    let mut served: Vec<_> = (0..8).map(|_| tunnel(&program)).collect();
    served.iter_mut().for_each(assert_echo);
}
