//! Responses and tunnels that stand still.

use crate::support::{Backend, Client, Connection, End, Start, client::get, h2, tls::Tls};

/// Begins a response, and waits.
fn half() -> Backend {
    Backend::start(|connection| {
        connection.head().unwrap();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
        connection.drain();
    })
}

#[test]
fn a_backend_that_stops_in_its_body() {
    let backend = half();
    let program = Start::new().route("a.test", &backend).flags(&["--stall-timeout", "200ms"]).run();
    let mut client = Client::connect(program.http());
    client.send(get("a.test", "/"));
    assert_eq!(client.head().status, 200);
    assert_eq!(client.take(4), b"half");
    assert_eq!(client.end(), (Vec::new(), End::Reset));

    let mut client = Tls::of(&program).connect(program.https(), "a.test").unwrap();
    client.send(get("a.test", "/"));
    assert_eq!(client.head().status, 200);
    let (_, end) = client.end();
    assert!(matches!(end, End::Reset | End::FinWithoutAlert), "{end:?}");
    backend.wait_for_end();
}

#[test]
fn http2_streams_that_all_stand_still() {
    let backend = half();
    let program = Start::new().route("a.test", &backend).flags(&["--stall-timeout", "200ms"]).run();
    let mut client = Tls::of(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
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
fn a_client_that_stops_in_its_body_after_the_response_has_begun() {
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
fn a_tunnel_without_a_byte() {
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
fn an_http2_stream_that_its_client_leaves_waiting_beside_others() {
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
    let mut client = Tls::of(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    // No window for stream 1 (RFC 9113, 6.5.2), and one for each of the others.
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
