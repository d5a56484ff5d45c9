//! HTTP/2 upstreams without TLS, simulated frame by frame.

use std::{sync::mpsc, time::Instant};

use crate::support::{
    Backend, Client, Connection, PATIENCE, Program, Start, assert_none,
    h2::{self, DATA, Frame, HEADERS, RST_STREAM, SETTINGS},
    tls::{Tls, TlsStream},
};

const ACK: u8 = 1;
const OK: Fields = &[(":status", b"200"), ("content-type", b"application/grpc")];

type Fields = &'static [(&'static str, &'static [u8])];

/// A connection from the program, after the SETTINGS of both sides.
struct Peer<'a>(Client<&'a mut Connection>);

impl Peer<'_> {
    /// The next frame of a request.
    fn next(&mut self) -> Option<Frame> {
        loop {
            let frame = self.0.frame()?;
            if matches!(frame.kind, DATA | HEADERS | RST_STREAM) {
                return Some(frame);
            }
        }
    }
}

fn backend(serve: impl Fn(Peer<'_>) + Send + Sync + 'static) -> Backend {
    Backend::start(move |connection| {
        if connection.take(h2::PREFACE.len()).as_deref() == Some(h2::PREFACE) {
            let mut client = Client::new(connection);
            client.send(h2::frame(SETTINGS, 0, 0, &[]));
            client.send(h2::frame(SETTINGS, ACK, 0, &[]));
            serve(Peer(client));
        }
    })
}

fn start(backend: &Backend) -> Program {
    Start::new().workers(1).flags(&["--route", &format!("a.test=h2c://{}", backend.address)]).run()
}

fn client(program: &Program) -> Client<TlsStream> {
    let mut client = Tls::trusting(program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send(h2::opening());
    client
}

fn post(stream: u32) -> Vec<u8> {
    let fields = [&h2::request("POST", "a.test", "/s/M")[..], &[("te", b"trailers")]].concat();
    h2::headers(stream, &fields, false)
}

/// The next frame of `stream` that carries a response.
fn response_frame(client: &mut Client<TlsStream>, stream: u32) -> Frame {
    let is_of_response = |frame: &Frame| frame.stream == stream && matches!(frame.kind, DATA | HEADERS | RST_STREAM);
    client.frames_until(is_of_response).pop().unwrap()
}

#[test]
fn both_directions_flow_at_the_same_time_and_trailers_come_last() {
    let backend = backend(|mut peer| {
        while let Some(frame) = peer.next() {
            match frame.kind {
                // Responds before the request has sent any data.
                HEADERS => peer.0.send(h2::headers(frame.stream, OK, false)),
                DATA if frame.ends_stream() => {
                    peer.0.send(h2::headers(frame.stream, &[("grpc-status", b"0")], true));
                }
                _ => peer.0.send(h2::data(frame.stream, &frame.payload, false)),
            }
        }
    });
    let program = start(&backend);
    let mut client = client(&program);
    // Two streams that alternate message by message.
    for stream in [1, 3] {
        client.send(post(stream));
        assert_eq!(client.answer(stream), h2::Answer::Status(200));
    }
    for message in [&b"one"[..], b"two", b"three"] {
        for stream in [1, 3] {
            client.send(h2::data(stream, message, false));
            let frame = response_frame(&mut client, stream);
            assert_eq!((frame.kind, &frame.payload[..]), (DATA, message));
        }
    }
    for stream in [1, 3] {
        client.send(h2::data(stream, b"", true));
        let frame = response_frame(&mut client, stream);
        assert!(frame.kind == HEADERS && frame.ends_stream(), "{frame:?}");
    }
    assert_eq!(backend.connections().len(), 1);
}

#[test]
fn http2_streams_may_be_slower_than_http1_requests() {
    let backend = backend(|mut peer| {
        while let Some(frame) = peer.next() {
            if frame.kind == DATA && frame.ends_stream() {
                peer.0.send(h2::headers(frame.stream, OK, true));
            }
        }
    });
    let route = format!("a.test=h2c://{}", backend.address);
    let flags = ["--route", &route, "--stall-timeout", "500ms", "--body-min-rate", "1KiB"];
    let program = Start::new().workers(1).flags(&flags).run();
    let mut client = client(&program);
    client.send([post(1), h2::data(1, b"x", false)].concat());
    // One after the other, so that the HTTP/2 stream has been slow for longer than either.
    for _ in 0..2 {
        let mut http1 = Client::connect(program.http());
        http1.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\nx");
        assert_eq!(http1.response().status, 408);
    }
    client.send(h2::data(1, b"", true));
    assert_eq!(client.answer(1), h2::Answer::Status(200));
}

#[test]
fn old_connections_are_replaced() {
    let backend = backend(|mut peer| {
        while let Some(frame) = peer.next() {
            peer.0.send(h2::headers(frame.stream, OK, true));
        }
    });
    let route = format!("a.test=h2c://{}", backend.address);
    let program = Start::new().workers(1).flags(&["--route", &route, "--pool-max-age", "1ms"]).run();
    let mut client = Client::connect(program.http());
    let start = Instant::now();
    // Several requests can happen within one millisecond.
    while backend.connections().len() < 3 {
        assert!(start.elapsed() < PATIENCE, "never replaced");
        assert_eq!(client.get("a.test", "/").status, 200);
    }
}

#[test]
fn cancelling_a_request_cancels_it_at_the_backend() {
    let (seen, cancelled) = mpsc::channel();
    let backend = backend(move |mut peer| {
        while let Some(frame) = peer.next() {
            match frame.kind {
                HEADERS => peer.0.send(h2::headers(frame.stream, OK, false)),
                RST_STREAM => seen.send(frame.payload).unwrap(),
                _ => {}
            }
        }
    });
    let program = start(&backend);
    let mut client = client(&program);
    client.send([post(1), h2::data(1, b"half", false)].concat());
    assert_eq!(client.answer(1), h2::Answer::Status(200));
    client.send(h2::frame(RST_STREAM, 0, 1, &[0, 0, 0, 8]));
    // CANCEL.
    assert_eq!(cancelled.recv_timeout(PATIENCE).unwrap(), [0, 0, 0, 8]);
    // The connections on both sides stay open.
    client.send(post(3));
    assert_eq!(client.answer(3), h2::Answer::Status(200));
    assert_eq!(backend.connections().len(), 1);
}

#[test]
fn a_truncated_response_is_truncated_for_the_client() {
    let backend = backend(|mut peer| {
        while let Some(frame) = peer.next() {
            if frame.kind == HEADERS {
                peer.0.send(h2::headers(frame.stream, OK, false));
                peer.0.send(h2::data(frame.stream, b"half", false));
                peer.0.send(h2::frame(RST_STREAM, 0, frame.stream, &[0, 0, 0, 8]));
            }
        }
    });
    let program = start(&backend);
    let mut two = client(&program);
    two.send(h2::headers(1, &h2::get("a.test", "/"), true));
    let last = two.frames_until(|frame| frame.stream == 1 && (frame.kind == RST_STREAM || frame.ends_stream()));
    assert_eq!(last.last().unwrap().kind, RST_STREAM);

    let mut one = Client::connect(program.http());
    one.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    let (got, _) = one.end();
    assert!(!got.ends_with(b"0\r\n\r\n"), "{}", got.escape_ascii());
}

#[test]
fn trailers_reach_http1_clients_that_accept_them() {
    let backend = backend(|mut peer| {
        while let Some(frame) = peer.next() {
            if frame.kind == HEADERS {
                let head = [OK, &[("trailer", b"grpc-status")]].concat();
                peer.0.send(h2::headers(frame.stream, &head, false));
                peer.0.send(h2::data(frame.stream, b"body", false));
                peer.0.send(h2::headers(frame.stream, &[("grpc-status", b"5")], true));
            }
        }
    });
    let program = start(&backend);
    let mut client = Client::connect(program.http());
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: te\r\n\r\n");
    let response = client.response();
    assert_eq!((response.text(), &response.trailers[..]), ("body", &[("grpc-status".into(), "5".into())][..]));
}

#[test]
fn an_http1_backend_is_recognized() {
    let backend = Backend::start(|connection| {
        connection.take(h2::PREFACE.len());
        connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    let program = start(&backend);
    assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 502);
    program.wait_for_line(&format!("{} does not speak HTTP/2: its first bytes are not SETTINGS", backend.address));
}

/// Responses that HTTP/1.1 cannot express, or only ambiguously (RFC 9113, 8.1.1, 8.2.1 and 8.2.2).
#[test]
fn an_ambiguous_response_is_an_error() {
    const CASES: &[(&str, Fields)] = &[
        ("two lengths that differ", &[("content-length", b"3"), ("content-length", b"4")]),
        ("two lengths that differ, the right one last", &[("content-length", b"4"), ("content-length", b"3")]),
        ("two lengths that agree", &[("content-length", b"3"), ("content-length", b"3")]),
        ("a list of lengths", &[("content-length", b"3, 3")]),
        ("a length with a sign", &[("content-length", b"+3")]),
        ("a length with white space", &[("content-length", b" 3")]),
        ("a length that is not a number", &[("content-length", b"three")]),
        ("an empty length", &[("content-length", b"")]),
        ("a coding", &[("transfer-encoding", b"chunked")]),
        ("Connection", &[("connection", b"close")]),
        ("CR LF in a value", &[("x", b"a\r\ncontent-length: 9")]),
        ("LF in a value", &[("x", b"a\nb")]),
        ("CR LF in a name", &[("x: a\r\ny", b"b")]),
        ("a name in quotes", &[("\"x\"", b"y")]),
        ("a name with a space", &[("x y", b"z")]),
        ("a name with a capital", &[("X", b"y")]),
    ];
    let mut failures = Vec::new();
    for (name, fields) in CASES {
        let backend = backend(move |mut peer| {
            while let Some(frame) = peer.next() {
                if frame.kind == HEADERS {
                    let head = [&[(":status", &b"200"[..])][..], fields].concat();
                    peer.0.send(h2::headers(frame.stream, &head, false));
                    peer.0.send(h2::data(frame.stream, b"abc", true));
                }
            }
        });
        let program = start(&backend);
        let mut one = Client::connect(program.http());
        one.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
        let (got, _) = one.end();
        let mut two = client(&program);
        two.send(h2::headers(1, &h2::get("a.test", "/"), true));
        let answer = two.answer(1);
        if !got.starts_with(b"HTTP/1.1 502 ") || answer != h2::Answer::Status(502) {
            failures.push(format!("{name}: {} and {answer:?}", got.escape_ascii()));
        }
    }
    assert_none(&failures);
}
