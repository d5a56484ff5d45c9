//! A node still answers commands and serves other nodes while its clients hold all connections or descriptors.

use std::{net::TcpStream, thread};

use crate::{
    Place, printed,
    support::{Backend, Client, Program, backend::ok},
    with_secret,
};

const UPGRADE: &str = "GET /echo HTTP/1.1\r\nHost: served.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

/// A backend that answers requests and becomes an echo server at `/echo`.
pub fn backend() -> Backend {
    Backend::start(|connection| {
        while let Some(request) = connection.request() {
            if request.target != "/echo" {
                connection.send(ok("hello"));
                continue;
            }
            connection.send(SWITCH);
            while let Some(byte) = connection.take(1) {
                connection.send(byte);
            }
        }
    })
}

/// Opens a tunnel to the echo server.
pub fn tunnel(program: &Program) -> Client<TcpStream> {
    let mut client = Client::connect(program.http());
    client.send(UPGRADE);
    assert_eq!(client.head().status, 101);
    client
}

/// Asserts that `full`, a node at `place`, answers commands and serves a node that starts only now.
#[track_caller]
fn assert_reached(full: &Program, place: &Place) {
    printed(full, &["status"]);
    let other = with_secret(Place::new("other").start(&[place])).flags(&["--route", "served.test=mesh://full"]).run();
    for _ in 0..3 {
        assert_eq!(Client::connect(other.http()).get("served.test", "/").status, 200);
    }
    printed(full, &["status"]);
}

#[test]
fn a_node_full_of_tunnels_is_reachable() {
    let (place, backend) = (Place::new("full"), backend());
    let start = place.start(&[]).flags(&["--max-connections", "4"]);
    let full = with_secret(start).route("served.test", &backend).run();
    let mut tunnels: Vec<_> = (0..4).map(|_| tunnel(&full)).collect();
    // Waits for a slot until the test ends.
    let _next = Client::connect(full.http());
    full.wait_for_line("connection limit reached: idle connections");
    assert_reached(&full, &place);
    for tunnel in &mut tunnels {
        tunnel.send("echo");
        assert_eq!(tunnel.take(4), b"echo");
    }
}

#[test]
fn a_node_whose_clients_hold_all_descriptors_is_reachable() {
    let (place, backend) = (Place::new("full"), backend());
    let flags = ["--max-connections", "1000", "--head-timeout", "1h", "--silence-deadline", "1h"];
    // Both the soft and the hard limit, so that the program cannot raise it.
    let start = place.start(&[]).flags(&flags).through(&["sh", "-c", "ulimit -n 64; exec \"$0\" \"$@\""]);
    let full = with_secret(start).route("served.test", &backend).run();
    let is_full = || full.log().iter().any(|line| line.contains("cannot accept a connection"));
    let mut clients = Vec::new();
    while !is_full() {
        let mut client = Client::connect(full.http());
        client.send(UPGRADE);
        client.stream.set_nonblocking(true).unwrap();
        while !is_full() && client.stream.peek(&mut [0]).is_err() {
            thread::yield_now();
        }
        let is_answered = client.stream.peek(&mut [0]).is_ok();
        client.stream.set_nonblocking(false).unwrap();
        if is_answered && client.head().status != 101 {
            // There was no descriptor for the backend. Start another request, so that this connection is not closed as
            // idle.
            client.send("GET / HTTP/1.1\r\n");
        }
        clients.push(client);
    }
    assert_reached(&full, &place);
    clients[0].send("echo");
    assert_eq!(clients[0].take(4), b"echo");
}
