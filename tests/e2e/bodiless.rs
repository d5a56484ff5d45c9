//! Responses that have no body, whatever a backend says and sends: nothing of it is the next response.

use crate::support::{
    Backend, Client, Start,
    backend::ok,
    h2::{self, DATA},
    tls::Tls,
};

/// What a backend answers to a method: its name, head and rest.
const CASES: &[(&str, &str, &str, &str)] = &[
    ("head", "HEAD", "200 OK\r\nContent-Length: 6", ""),
    ("head-with-body", "HEAD", "200 OK\r\nContent-Length: 6", "poison"),
    ("head-with-chunks", "HEAD", "200 OK\r\nTransfer-Encoding: chunked", "6\r\npoison\r\n0\r\n\r\n"),
    ("head-without-length", "HEAD", "200 OK", ""),
    ("no-content", "GET", "204 No Content", ""),
    ("no-content-with-0", "GET", "204 No Content\r\nContent-Length: 0", ""),
    ("no-content-with-length", "GET", "204 No Content\r\nContent-Length: 6", ""),
    ("no-content-with-body", "GET", "204 No Content\r\nContent-Length: 6", "poison"),
    ("no-content-with-chunks", "GET", "204 No Content\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
    ("not-modified", "GET", "304 Not Modified\r\nETag: \"1\"", ""),
    ("not-modified-with-length", "GET", "304 Not Modified\r\nContent-Length: 6", ""),
    ("not-modified-with-body", "GET", "304 Not Modified\r\nContent-Length: 6", "poison"),
    ("not-modified-with-response", "GET", "304 Not Modified", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"),
];

fn backend() -> Backend {
    Backend::start(|connection| {
        while let Some(request) = connection.request() {
            match CASES.iter().find(|(name, ..)| request.target[1..] == **name) {
                Some((_, _, head, rest)) => connection.send(format!("HTTP/1.1 {head}\r\n\r\n{rest}")),
                None => connection.send(ok("fine")),
            }
        }
    })
}

fn expected(head: &str) -> u16 {
    head[..3].parse().unwrap()
}

#[test]
fn over_http1() {
    let backend = backend();
    let program = Start::new().workers(1).route("a.test", &backend).run();
    let mut client = Client::connect(program.http());
    for (name, method, head, _) in CASES {
        client.send(format!("{method} /{name} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        let got = client.head();
        assert_eq!(got.status, expected(head), "{name}");
        // RFC 9110, 8.6 and RFC 9112, 6.1: not in a 204, not even a coding.
        if got.status == 204 {
            assert!(got.field("transfer-encoding").is_none(), "{name}: {got:?}");
            assert!(got.field("content-length").is_none(), "{name}: {got:?}");
        }
        assert_eq!(client.get("a.test", "/fine").text(), "fine", "behind {name}");
    }
}

#[test]
fn over_http2() {
    let backend = backend();
    let program = Start::new().workers(1).route("a.test", &backend).run();
    let mut client = Tls::of(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send(h2::opening());
    for (index, (name, method, ..)) in (0..).zip(CASES) {
        let (stream, path) = (4 * index + 1, format!("/{name}"));
        client.send(h2::headers(stream, &h2::request(method, "a.test", &path), true));
        let frames = client.frames_until(|frame| frame.stream == stream && frame.ends_stream());
        let body = frames.iter().filter(|frame| frame.stream == stream && frame.kind == DATA);
        assert!(body.clone().all(|frame| frame.payload.is_empty()), "{name}: {frames:?}");
        // As a literal with the name of entry 28 (RFC 7541, appendix A), whether it enters the table or not.
        let length =
            frames.iter().any(|frame| frame.payload.windows(2).any(|two| two == [0x0f, 0x0d] || two == [0x5c, 1]));
        assert!(!(length && name.starts_with("no-content")), "{name}: {frames:?}");
        client.send(h2::headers(stream + 2, &h2::get("a.test", "/fine"), true));
        let frames = client.frames_until(|frame| frame.stream == stream + 2 && frame.ends_stream());
        assert!(frames.iter().any(|frame| frame.payload == b"fine"), "behind {name}: {frames:?}");
    }
}
