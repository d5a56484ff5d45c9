//! At the connection limit, idle connections are closed to make room, and no others.

use std::{net::TcpStream, thread};

use nix::sys::signal::Signal;

use crate::support::{
    Backend, Client, End, Program, Start,
    backend::ok,
    client::get,
    h2::{self, Answer},
    tls::Tls,
};

const SLOTS: usize = 4;
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

/// A backend that responds, never sends the second half of `/half`, and becomes an echo at `/echo`.
pub fn backend() -> Backend {
    Backend::start(|connection| {
        while let Some(request) = connection.request() {
            match &*request.target {
                "/half" => {
                    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
                    connection.drain();
                }
                "/echo" => {
                    connection.send(SWITCH);
                    while let Some(byte) = connection.take(1) {
                        connection.send(byte);
                    }
                }
                _ => connection.send(ok("ok")),
            }
        }
    })
}

fn start(workers: u8, backend: &Backend) -> Program {
    let flags = ["--max-connections", &SLOTS.to_string(), "--keep-alive-timeout", "1h", "--head-timeout", "1h"];
    Start::new().workers(workers).route("a.test", backend).flags(&flags).run()
}

/// An idle connection.
fn idle(program: &Program) -> Client<TcpStream> {
    let mut client = Client::connect(program.http());
    assert_eq!(client.get("a.test", "/").status, 200);
    client
}

/// A connection that has become a tunnel, which is never closed to make room.
pub fn tunnel(program: &Program) -> Client<TcpStream> {
    let mut client = Client::connect(program.http());
    client.send("GET /echo HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    assert_eq!(client.head().status, 101);
    client
}

/// Asserts that the tunnel is still open.
#[track_caller]
pub fn assert_echo(tunnel: &mut Client<TcpStream>) {
    tunnel.send("echo");
    assert_eq!(tunnel.take(4), b"echo");
}

#[test]
fn idle_connections_are_closed_with_a_fin() {
    // With two workers, the free slot may belong to the other one.
    for workers in [1, 2] {
        let backend = backend();
        let mut program = start(workers, &backend);
        let mut clients: Vec<_> = (0..3 * SLOTS).map(|_| idle(&program)).collect();
        for client in &mut clients[..2 * SLOTS] {
            assert_eq!(client.end(), (Vec::new(), End::Fin), "{workers} workers");
        }
        assert_eq!(clients.last_mut().unwrap().get("a.test", "/").status, 200, "{workers} workers");
        program.wait_for_line("connection limit reached: idle connections");
        program.signal(Signal::SIGTERM);
        program.wait();
        let line = program.wait_for_line("stopped");
        let ended: usize = line.split_once("idle_ended=").unwrap().1.parse().unwrap();
        // More if the machine was slow.
        assert!(ended >= 2 * SLOTS, "{line}");
    }
}

#[test]
fn idle_tls_connections_are_closed_too() {
    let backend = backend();
    let program = start(2, &backend);
    let tls = Tls::trusting(&program);
    let mut clients = Vec::new();
    for _ in 0..2 * SLOTS {
        let mut client = tls.connect(program.https(), "a.test").unwrap();
        assert_eq!(client.get("a.test", "/").status, 200);
        clients.push(client);
    }
    for client in &mut clients[..SLOTS] {
        assert_eq!(client.end(), (Vec::new(), End::Fin));
    }
}

#[test]
fn connections_with_a_request_in_flight_are_kept() {
    let backend = backend();
    let program = start(2, &backend);
    let mut half = Client::connect(program.http());
    half.send(get("a.test", "/half"));
    assert_eq!(half.head().status, 200);
    let mut tunnel = tunnel(&program);
    let mut streams = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    streams.send([h2::opening(), h2::headers(1, &h2::get("a.test", "/half"), true)].concat());
    assert_eq!(streams.answer(1), Answer::Status(200));

    // One after the other, in the only free slot.
    let mut clients: Vec<_> = (0..SLOTS).map(|_| idle(&program)).collect();
    for client in &mut clients[..SLOTS - 1] {
        assert_eq!(client.end(), (Vec::new(), End::Fin));
    }
    assert_eq!(half.take(4), b"half");
    assert_echo(&mut tunnel);
    streams.send(h2::headers(3, &h2::get("a.test", "/"), true));
    assert_eq!(streams.answer(3), Answer::Status(200));
}

#[test]
fn an_idle_http2_connection_is_closed_with_goaway() {
    let backend = backend();
    let program = start(1, &backend);
    let tls = Tls::trusting(&program).alpn(&["h2"]);
    let idle_clients: Vec<_> = (0..SLOTS)
        .map(|_| {
            let mut client = tls.connect(program.https(), "a.test").unwrap();
            client.send([h2::opening(), h2::headers(1, &h2::get("a.test", "/"), true)].concat());
            assert_eq!(client.answer(1), Answer::Status(200));
            client
        })
        .collect();
    let readers: Vec<_> = idle_clients
        .into_iter()
        .map(|mut client| {
            thread::spawn(move || {
                let mut goaways = 0;
                while let Some(frame) = client.frame() {
                    goaways += usize::from(frame.kind == h2::GOAWAY);
                    if frame.kind == h2::PING && !frame.is_ack() {
                        client.send(h2::frame(h2::PING, 1, 0, &frame.payload));
                    }
                }
                goaways
            })
        })
        .collect();
    // All of them are closed once this many others are open.
    let _clients: Vec<_> = (0..SLOTS).map(|_| idle(&program)).collect();
    for reader in readers {
        assert!(reader.join().unwrap() > 0);
    }
}

#[test]
fn a_connection_with_an_incomplete_head_is_kept() {
    let backend = backend();
    let program = start(1, &backend);
    let mut begun: Vec<_> = (0..SLOTS - 1).map(|_| idle(&program)).collect();
    for client in &mut begun {
        client.send("GET / HTTP/1.1\r\n");
    }
    for _ in 0..SLOTS {
        idle(&program);
    }
    let mut last: Vec<_> = (0..2).map(|_| idle(&program)).collect();
    assert_eq!(last[0].end(), (Vec::new(), End::Fin));
    for client in &mut begun {
        client.send("Host: a.test\r\n\r\n");
        assert_eq!(client.response().status, 200);
    }
}
