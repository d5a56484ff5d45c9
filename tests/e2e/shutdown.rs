//! Shutdown: requests in flight finish, nothing new starts.

use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    sync::mpsc,
};

use nix::sys::signal::Signal;

use crate::support::{
    Backend, Client, End, Program, Start,
    backend::ok,
    client::get,
    h2::{self, Answer},
    h2_stream::Stream,
    tls::Tls,
};

/// A backend that responds at once, except to `/held`: it sends the second half of that response when released.
fn holding() -> (Backend, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel();
    let released = std::sync::Mutex::new(released);
    let backend = Backend::start(move |connection| {
        while let Some(request) = connection.request() {
            if request.target == "/held" {
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
                // Also returns when the test ends.
                let _ = released.lock().unwrap().recv();
                connection.send("half");
            } else {
                connection.send(ok("ok"));
            }
        }
    });
    (backend, release)
}

fn start() -> (Program, mpsc::Sender<()>) {
    let (backend, release) = holding();
    (Start::new().workers(1).route("a.test", &backend).run(), release)
}

/// A connection on which half of a response has arrived.
fn in_flight(program: &Program) -> Client<TcpStream> {
    let mut client = Client::connect(program.http());
    client.send(get("a.test", "/held"));
    assert_eq!(client.head().status, 200);
    assert_eq!(client.take(4), b"half");
    client
}

/// An idle connection.
fn idle(program: &Program) -> Client<TcpStream> {
    let mut client = Client::connect(program.http());
    assert_eq!(client.get("a.test", "/").status, 200);
    client
}

#[test]
fn a_request_in_flight_finishes_before_the_program_exits() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let (mut program, release) = start();
        let (mut busy, mut idle) = (in_flight(&program), idle(&program));
        program.signal(signal);
        program.wait_for_line("shutting down");
        assert_eq!(idle.end(), (Vec::new(), End::Fin));
        release.send(()).unwrap();
        assert_eq!(busy.take(4), b"half");
        assert_eq!(busy.end(), (Vec::new(), End::Fin));
        assert_eq!(program.wait().code(), Some(0), "{signal}");
        program.wait_for_line("stopped connections=2 requests=2");
    }
}

#[test]
fn new_connections_are_refused() {
    let (program, _release) = start();
    let (_busy, mut idle) = (in_flight(&program), idle(&program));
    let ports = [program.http(), program.https(), program.internal()];
    program.signal(Signal::SIGTERM);
    // The worker closes idle connections after its listeners.
    assert_eq!(idle.end(), (Vec::new(), End::Fin));
    for address in ports {
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused, "{address}");
    }
}

#[test]
fn another_process_can_bind_the_ports_during_draining() {
    let (mut program, release) = start();
    let (mut busy, mut idle) = (in_flight(&program), idle(&program));
    program.signal(Signal::SIGTERM);
    assert_eq!(idle.end(), (Vec::new(), End::Fin));
    let backend = Backend::answering("next");
    let next = Start::new().http(program.http().port()).route("a.test", &backend).run();
    assert_eq!(Client::connect(next.http()).get("a.test", "/").text(), "next");
    release.send(()).unwrap();
    assert_eq!(busy.take(4), b"half");
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn a_connection_without_a_request_does_not_delay_shutdown() {
    let backend = Backend::answering("ok");
    let mut program = Start::new().workers(1).route("a.test", &backend).flags(&["--silence-deadline", "1h"]).run();
    let mut silent: Vec<_> = ["", "GET / HTTP/1.1\r\nHost: a.te", "\x16\x03\x01"]
        .into_iter()
        .flat_map(|bytes| [program.http(), program.https(), program.internal()].map(|address| (address, bytes)))
        .map(|(address, bytes)| {
            let mut client = Client::connect(address);
            client.send(bytes);
            client
        })
        .collect();
    // This one comes after them in the accept queue of `http`, so they have been accepted.
    idle(&program);
    program.signal(Signal::SIGTERM);
    assert_eq!(program.wait().code(), Some(0));
    for client in &mut silent {
        assert_eq!(client.end().0, Vec::<u8>::new());
    }
    assert!(!program.log().iter().any(|line| line.contains("shutdown_timeout has passed")));
}

#[test]
fn http2_connections_get_goaway() {
    let (mut program, release) = start();
    let tls = Tls::trusting(&program).alpn(&["h2"]);
    let mut client = tls.connect(program.https(), "a.test").unwrap();
    client.send([h2::opening(), h2::headers(1, &h2::get("a.test", "/held"), true)].concat());
    assert_eq!(client.answer(1), Answer::Status(200));
    client.frames_until(|frame| frame.kind == h2::DATA);
    program.signal(Signal::SIGTERM);
    client.frames_until(|frame| frame.kind == h2::GOAWAY);
    release.send(()).unwrap();
    // A server first announces shutdown and then, after a PING, the last stream that it will process.
    while let Some(frame) = client.frame() {
        if frame.kind == h2::PING && !frame.is_ack() {
            client.send(h2::frame(h2::PING, 1, 0, &frame.payload));
        }
        assert!(!matches!(frame.kind, h2::RST_STREAM), "{frame:?}");
        if frame.stream == 1 && frame.ends_stream() {
            assert_eq!(frame.payload, b"half");
        }
    }
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn a_second_signal_exits_at_once() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let (mut program, _release) = start();
        let mut busy = in_flight(&program);
        program.signal(Signal::SIGTERM);
        program.wait_for_line("shutting down");
        program.signal(signal);
        assert_eq!(program.wait().code(), Some(code));
        assert_eq!(busy.end().0, b"");
    }
}

#[test]
fn shutdown_timeout_limits_draining() {
    let (backend, _release) = holding();
    let mut program = Start::new().route("a.test", &backend).flags(&["--shutdown-timeout", "100ms"]).run();
    let _busy = in_flight(&program);
    program.signal(Signal::SIGTERM);
    assert_eq!(program.wait().code(), Some(0));
    program.wait_for_line("shutdown_timeout has passed");
}

/// A backend that echoes bytes once it has switched.
fn echo() -> Backend {
    Backend::start(|connection| {
        connection.request().unwrap();
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
        while let Some(byte) = connection.take(1) {
            connection.send(byte);
        }
    })
}

#[test]
fn a_tunnel_counts_as_in_flight() {
    let backend = echo();
    let mut program = Start::new().workers(1).route("a.test", &backend).run();
    let mut client = Client::connect(program.http());
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    assert_eq!(client.head().status, 101);
    program.signal(Signal::SIGTERM);
    program.wait_for_line("shutting down");
    client.send("still here");
    assert_eq!(client.take(10), b"still here");
    drop(client);
    assert_eq!(program.wait().code(), Some(0));
}

#[test]
fn an_http2_tunnel_counts_as_in_flight() {
    let backend = echo();
    let mut program = Start::new().workers(1).route("a.test", &backend).run();
    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send([h2::opening(), h2::headers(1, &h2::connect("echo", "a.test"), false)].concat());
    assert_eq!(client.answer(1), Answer::Status(200));
    program.signal(Signal::SIGTERM);
    client.frames_until(|frame| frame.kind == h2::GOAWAY);
    let mut stream = Stream::new(client, 1);
    stream.write_all(b"still here").unwrap();
    let mut received = [0; 10];
    stream.read_exact(&mut received).unwrap();
    assert_eq!(&received, b"still here");
    stream.finish_sending();
    assert_eq!(stream.read(&mut received).unwrap(), 0);
    while stream.client.frame().is_some() {}
    assert_eq!(program.wait().code(), Some(0));
    assert!(!program.log().iter().any(|line| line.contains("shutdown_timeout has passed")));
}

#[test]
fn a_response_cut_off_by_shutdown_does_not_look_complete() {
    let (hold, held) = mpsc::channel::<()>();
    let held = std::sync::Mutex::new(held);
    let backend = Backend::start(move |connection| {
        connection.request().unwrap();
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
        // Until the test ends.
        let _ = held.lock().unwrap().recv();
    });
    let mut program = Start::new().route("a.test", &backend).flags(&["--shutdown-timeout", "100ms"]).run();
    // For HTTP/1.0 clients, the response ends with the connection.
    let mut client = Client::connect(program.http());
    client.send("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.take(4), b"half");
    program.signal(Signal::SIGTERM);
    assert_eq!(client.end(), (Vec::new(), End::Reset));
    program.wait();
    drop(hold);
}

/// The client has not closed its side, so the connection lingers.
#[test]
fn a_rejected_connection_does_not_delay_shutdown() {
    let backend = Backend::answering("ok");
    let start = Start::new().workers(1).route("a.test", &backend);
    // Less than the lingering time.
    let mut program = start.flags(&["--shutdown-timeout", "1s"]).run();
    let mut rejected: Vec<_> =
        [(program.http(), get("b.test", "/")), (program.https(), "GET / HTTP/1.0\r\n\r\n".into())]
            .into_iter()
            .map(|(address, bytes)| {
                let mut client = Client::connect(address);
                client.send(bytes);
                assert_eq!(client.end(), (Vec::new(), End::Fin));
                client
            })
            .collect();
    let mut later = idle(&program);
    later.send(get("b.test", "/"));
    assert_eq!(later.end(), (Vec::new(), End::Fin));
    rejected.push(later);
    program.signal(Signal::SIGTERM);
    assert_eq!(program.wait().code(), Some(0));
    assert!(!program.log().iter().any(|line| line.contains("shutdown_timeout has passed")));
}
