//! Truncated responses never look complete, whatever the protocol.

use std::sync::{Mutex, mpsc};

use crate::support::{
    Backend, Client, Connection, End, PATIENCE, Program, Start,
    h2::{self, DATA, HEADERS, RST_STREAM, SETTINGS},
    tls::Tls,
};

const ACK: u8 = 1;

/// The start of a response, and how the backend then cuts it off.
#[derive(Clone, Copy)]
struct Break {
    head: &'static str,
    cut: fn(&mut Connection),
}

const BREAKS: &[(&str, Break)] = &[
    ("chunked, then FIN", Break { head: "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", cut: |_| {} }),
    ("chunked, then RST", Break { head: "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", cut: Connection::reset }),
    ("in a chunk", Break { head: "Transfer-Encoding: chunked\r\n\r\n9\r\nabc", cut: |_| {} }),
    (
        "a bad chunk",
        Break { head: "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", cut: |backend| backend.send("xyz\r\n\r\n") },
    ),
    (
        "in the trailers",
        Break { head: "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", cut: |backend| backend.send("0\r\nx: y\r\n") },
    ),
    ("short, then FIN", Break { head: "Content-Length: 9\r\n\r\nabc", cut: |_| {} }),
    ("short, then RST", Break { head: "Content-Length: 9\r\n\r\nabc", cut: Connection::reset }),
    ("until the end, then RST", Break { head: "Connection: close\r\n\r\nabc", cut: Connection::reset }),
];

/// A backend that sends a part, waits until the client has it, and breaks off.
struct Cut {
    backend: Backend,
    go: mpsc::Sender<()>,
}

fn cut(one: Break) -> Cut {
    let (go, gone) = mpsc::channel();
    let gone = Mutex::new(gone);
    let backend = Backend::start(move |connection| {
        if connection.request().is_some() {
            connection.send(format!("HTTP/1.1 200 OK\r\n{}", one.head));
            gone.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            (one.cut)(connection);
        }
    });
    Cut { backend, go }
}

/// The frame that ends a stream too early.
type EndOf = fn(u32) -> Vec<u8>;

/// Like [`cut`], over HTTP/2.
fn cut_http2(length: Option<&'static str>, end: EndOf) -> Cut {
    let (go, gone) = mpsc::channel();
    let gone = Mutex::new(gone);
    let backend = Backend::start(move |connection| {
        connection.take(h2::PREFACE.len());
        let mut peer = Client::new(connection);
        peer.send([h2::frame(SETTINGS, 0, 0, &[]), h2::frame(SETTINGS, ACK, 0, &[])].concat());
        while let Some(frame) = peer.frame() {
            if frame.kind == HEADERS {
                let length = length.map(|length| ("content-length", length.as_bytes()));
                let head: Vec<_> = [(":status", &b"200"[..])].into_iter().chain(length).collect();
                peer.send([h2::headers(frame.stream, &head, false), h2::data(frame.stream, b"abc", false)].concat());
                gone.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                peer.send(end(frame.stream));
            }
        }
    });
    Cut { backend, go }
}

fn request(version: &str) -> String {
    format!("GET / HTTP/{version}\r\nHost: a.test\r\n\r\n")
}

/// Checks all kinds of clients, one after the other.
fn check(name: &str, program: &Program, cut: &Cut) {
    for version in ["1.1", "1.0"] {
        for tls in [false, true] {
            let (has_length, got, end) = if tls {
                let mut client = Tls::trusting(program).connect(program.https(), "a.test").unwrap();
                outcome(&mut client, version, cut)
            } else {
                outcome(&mut Client::connect(program.http()), version, cut)
            };
            let case = format!("{name}, HTTP/{version}, TLS: {tls}: {end:?} after {}", got.escape_ascii());
            assert!(!got.ends_with(b"0\r\n\r\n"), "{case}");
            let expected = match (version, tls) {
                // Only a reset tells a truncated body from a complete one.
                ("1.0", _) if !has_length => End::Reset,
                (_, false) => End::Fin,
                (_, true) => End::FinWithoutAlert,
            };
            assert_eq!(end, expected, "{case}");
        }
    }
    let mut client = Tls::trusting(program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send([h2::opening(), h2::headers(1, &h2::get("a.test", "/"), true)].concat());
    client.frames_until(|frame| frame.stream == 1 && frame.kind == DATA);
    cut.go.send(()).unwrap();
    let last = client.frames_until(|frame| frame.stream == 1).pop().unwrap();
    assert_eq!(last.kind, RST_STREAM, "{name}: {last:?}");
    // The connection stays usable.
    client.send(h2::headers(3, &h2::get("a.test", "/"), true));
    assert_eq!(client.answer(3), h2::Answer::Status(200), "{name}");
    cut.go.send(()).unwrap();
}

/// Reads the first part of the body, and then lets the backend cut it off. Returns whether the length was known, and what
/// followed.
fn outcome<S: std::io::Read + std::io::Write>(
    client: &mut Client<S>,
    version: &str,
    cut: &Cut,
) -> (bool, Vec<u8>, End) {
    client.send(request(version));
    let head = client.head();
    assert_eq!(head.status, 200);
    if head.field("transfer-encoding").is_some() {
        assert_eq!(client.line(), "3");
    }
    assert_eq!(client.take(3), b"abc");
    cut.go.send(()).unwrap();
    let (got, end) = client.end();
    (head.field("content-length").is_some(), got, end)
}

#[test]
fn truncated_responses_of_http1_backends_never_look_complete() {
    for (name, one) in BREAKS {
        let cut = cut(*one);
        let program = Start::new().workers(1).route("a.test", &cut.backend).run();
        check(name, &program, &cut);
    }
}

#[test]
fn truncated_responses_of_http2_backends_never_look_complete() {
    let cases: [(&str, Option<&'static str>, EndOf); 6] = [
        ("reset", None, |stream| h2::frame(RST_STREAM, 0, stream, &[0, 0, 0, 2])),
        ("reset, with a length", Some("9"), |stream| h2::frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])),
        ("reset without an error, with a length", Some("9"), |stream| h2::frame(RST_STREAM, 0, stream, &[0; 4])),
        ("reset without an error", None, |stream| h2::frame(RST_STREAM, 0, stream, &[0; 4])),
        ("short", Some("9"), |stream| h2::data(stream, b"def", true)),
        ("GOAWAY", Some("9"), |_| h2::frame(h2::GOAWAY, 0, 0, &[0, 0, 0, 0, 0, 0, 0, 2])),
    ];
    for (name, length, end) in cases {
        let cut = cut_http2(length, end);
        let program =
            Start::new().workers(1).flags(&["--route", &format!("a.test=h2c://{}", cut.backend.address)]).run();
        check(name, &program, &cut);
    }
}
