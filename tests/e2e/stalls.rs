//! Responses and tunnels that stall.

use std::{
    io::{Read, Write},
    sync::{Mutex, mpsc},
};

use tungstenite::Message;

use super::upgrades::websocket_echo;
use crate::support::{Backend, Client, Connection, End, Start, client::get, h2, tls::Tls};

/// A backend that starts a response and never finishes it.
fn half() -> Backend {
    Backend::start(|connection| {
        connection.head().unwrap();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        connection.drain();
    })
}

#[test]
fn a_response_is_cut_off_if_the_backend_stalls() {
    let backend = half();
    let program = Start::new().route("a.test", &backend).flags(&["--stall-timeout", "200ms"]).run();
    let mut client = Client::connect(program.http());
    client.send(get("a.test", "/"));
    assert_eq!(client.head().status, 200);
    assert_eq!(client.take(4), b"half");
    assert_eq!(client.end(), (Vec::new(), End::Reset));

    let mut client = Tls::trusting(&program).connect(program.https(), "a.test").unwrap();
    client.send(get("a.test", "/"));
    assert_eq!(client.head().status, 200);
    let (_, end) = client.end();
    assert!(matches!(end, End::Reset | End::FinWithoutAlert), "{end:?}");
    backend.wait_for_end();
}

#[test]
fn http2_streams_that_all_stall_are_cut_off() {
    let backend = half();
    let program = Start::new().route("a.test", &backend).flags(&["--stall-timeout", "200ms"]).run();
    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send(h2::opening());
    for stream in [1, 3] {
        client.send(h2::headers(stream, &h2::get("a.test", "/"), true));
    }
    let mut frames = Vec::new();
    while let Some(frame) = client.frame() {
        frames.push(frame);
    }
    assert!(!frames.iter().any(h2::Frame::ends_stream));
    assert_eq!(backend.wait_for_end().len(), 2);
}

#[test]
fn an_upload_that_stalls_after_the_response_began_is_cut_off() {
    let backend = half();
    let program = Start::new().route("a.test", &backend).flags(&["--stall-timeout", "200ms"]).run();
    let mut client = Client::connect(program.http());
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhalf.");
    assert_eq!(client.head().status, 200);
    assert_eq!(client.take(4), b"half");
    assert_eq!(client.end(), (Vec::new(), End::Reset));
    backend.wait_for_end();
}

#[test]
fn an_idle_tunnel_is_closed() {
    let backend = Backend::start(|connection: &mut Connection| {
        connection.head().unwrap();
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello");
        connection.drain();
    });
    let program = Start::new().route("a.test", &backend).flags(&["--stream-timeout", "200ms"]).run();
    let mut client = Client::connect(program.http());
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    assert_eq!(client.head().status, 101);
    assert_eq!(client.end(), (b"hello".to_vec(), End::Fin));
    backend.wait_for_end();
}

#[test]
fn an_http2_stream_is_reset_if_its_client_stops_reading() {
    let stuck = Backend::start(|connection| {
        connection.head().unwrap();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        connection.send([b'x'; 100_000]);
        connection.drain();
    });
    let moving = Backend::answering("ok");
    let path = |prefix: &str, backend: &Backend| format!("a.test{prefix}={}", backend.address);
    let program = Start::new()
        .workers(1)
        .flags(&["--route", &path("/stuck", &stuck), "--route", &path("/", &moving), "--stall-timeout", "500ms"])
        .run();
    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    // No window for stream 1 (RFC 9113, 6.5.2), but one for each of the others.
    client.send([h2::opening(), h2::frame(h2::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0])].concat());
    client.send(h2::headers(1, &h2::get("a.test", "/stuck"), true));
    assert_eq!(client.answer(1), h2::Answer::Status(200));
    let mut stream = 1;
    let mut reset = false;
    while !reset {
        stream += 2;
        let window = h2::frame(8, 0, stream, &100_u32.to_be_bytes());
        client.send([h2::headers(stream, &h2::get("a.test", "/"), true), window].concat());
        let frames = client.frames_until(|frame| frame.stream == stream && frame.ends_stream());
        reset = frames.iter().any(|frame| frame.kind == h2::RST_STREAM && frame.stream == 1);
    }
    stuck.wait_for_end();
    let request = h2::headers(stream + 2, &h2::get("a.test", "/"), true);
    client.send(request);
    assert_eq!(client.answer(stream + 2), h2::Answer::Status(200));
}

#[test]
fn an_idle_websocket_is_closed_after_the_stream_timeout() {
    let backend = websocket_echo();
    let config =
        format!("stream_timeout = \"2s\"\n[[routes]]\nhost = \"a.test\"\nupstream = \"{}\"\n", backend.address);
    let program = Start::new().config(&config).run();
    let stream = Client::connect(program.http()).stream;
    let (mut socket, _) = tungstenite::client("ws://a.test/chat", stream).unwrap();
    socket.send(Message::text("hello")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("hello"));
    assert!(socket.read().is_err());
    backend.wait_for_end();
}

const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

/// A backend that sends each client one event at once, and another when the test sends a message.
fn events() -> (Backend, mpsc::Sender<()>) {
    let (more, next) = mpsc::channel();
    let next = Mutex::new(next);
    let backend = Backend::start(move |connection| {
        connection.head().unwrap();
        connection.send([EVENTS, "data: first\n\n"].concat());
        if next.lock().unwrap().recv().is_ok() {
            connection.send("data: last\n\n");
        }
    });
    (backend, more)
}

fn wait_for<S: Read + Write>(client: &mut Client<S>, event: &str) {
    while client.line() != event {}
}

#[test]
fn an_event_stream_outlives_the_stall_timeout() {
    let (backend, more) = events();
    let stuck = half();
    let program =
        Start::new().route("a.test", &backend).route("stuck.test", &stuck).flags(&["--stall-timeout", "1s"]).run();
    let mut client = Client::connect(program.http());
    client.send(get("a.test", "/"));
    assert_eq!(client.head().status, 200);
    wait_for(&mut client, "data: first");
    // A response that began later stalls and is cut off first.
    for _ in 0..2 {
        let mut other = Client::connect(program.http());
        other.send(get("stuck.test", "/"));
        assert_eq!(other.head().status, 200);
        assert_eq!(other.end(), (b"half".to_vec(), End::Reset));
    }
    more.send(()).unwrap();
    wait_for(&mut client, "data: last");
}

#[test]
fn an_event_stream_shares_a_connection_with_responses_that_stall() {
    let (backend, more) = events();
    let stuck = half();
    let path = |prefix: &str, backend: &Backend| format!("a.test{prefix}={}", backend.address);
    let program = Start::new()
        .flags(&["--route", &path("/events", &backend), "--route", &path("/", &stuck), "--stall-timeout", "1s"])
        .run();
    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send([h2::opening(), h2::headers(1, &h2::get("a.test", "/events"), true)].concat());
    client.frames_until(|frame| frame.kind == h2::DATA && frame.stream == 1);
    for stream in [3, 5] {
        client.send(h2::headers(stream, &h2::get("a.test", "/"), true));
        client.frames_until(|frame| frame.kind == h2::RST_STREAM && frame.stream == stream);
    }
    stuck.wait_for_end();
    more.send(()).unwrap();
    client.frames_until(|frame| frame.kind == h2::DATA && frame.stream == 1);
}

#[test]
fn routes_can_set_their_own_timeouts() {
    let (stuck, (backend, _more)) = (half(), events());
    let [stuck_at, events_at] = [&stuck, &backend].map(|backend| backend.address);
    let config = format!(
        "[[routes]]\nhost = \"a.test\"\nupstream = \"{stuck_at}\"\nstall_timeout = \"200ms\"\n\
         [[routes]]\nhost = \"b.test\"\nupstream = \"{events_at}\"\nstream_timeout = \"200ms\"\n"
    );
    let program = Start::new().config(&config).run();
    for host in ["a.test", "b.test"] {
        let mut client = Client::connect(program.http());
        client.send(get(host, "/"));
        assert_eq!(client.head().status, 200);
        assert_eq!(client.end().1, End::Reset, "{host}");

        let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), host).unwrap();
        client.send([h2::opening(), h2::headers(1, &h2::get(host, "/"), true)].concat());
        client.frames_until(|frame| frame.kind == h2::RST_STREAM && frame.stream == 1);
    }
}
