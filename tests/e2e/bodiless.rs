//! Responses without a body. Whatever a backend sends after the head, none of it becomes the next response.

use crate::support::{
    Backend, Client, End, Start,
    backend::ok,
    h2::{self, DATA, HEADERS, RST_STREAM, SETTINGS},
    tls::Tls,
};

/// A name, the method of the request, the head of the response, and what the backend sends after it.
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
fn http1_clients_get_no_body() {
    let backend = backend();
    let program = Start::new().workers(1).route("a.test", &backend).run();
    let mut client = Client::connect(program.http());
    for (name, method, head, _) in CASES {
        client.send(format!("{method} /{name} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        let got = client.head();
        assert_eq!(got.status, expected(head), "{name}");
        // RFC 9110, 8.6 and RFC 9112, 6.1: neither belongs in a 204.
        if got.status == 204 {
            assert!(got.field("transfer-encoding").is_none(), "{name}: {got:?}");
            assert!(got.field("content-length").is_none(), "{name}: {got:?}");
        }
        assert_eq!(client.get("a.test", "/fine").text(), "fine", "after {name}");
    }
}

#[test]
fn http2_clients_get_no_body() {
    let backend = backend();
    let program = Start::new().workers(1).route("a.test", &backend).run();
    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send(h2::opening());
    for (index, (name, method, ..)) in (0..).zip(CASES) {
        let (stream, path) = (4 * index + 1, format!("/{name}"));
        client.send(h2::headers(stream, &h2::request(method, "a.test", &path), true));
        let frames = client.frames_until(|frame| frame.stream == stream && frame.ends_stream());
        let body = frames.iter().filter(|frame| frame.stream == stream && frame.kind == DATA);
        assert!(body.clone().all(|frame| frame.payload.is_empty()), "{name}: {frames:?}");
        // A literal with the name of entry 28 (RFC 7541, appendix A), with or without indexing.
        let length =
            frames.iter().any(|frame| frame.payload.windows(2).any(|two| two == [0x0f, 0x0d] || two == [0x5c, 1]));
        assert!(!(length && name.starts_with("no-content")), "{name}: {frames:?}");
        client.send(h2::headers(stream + 2, &h2::get("a.test", "/fine"), true));
        let frames = client.frames_until(|frame| frame.stream == stream + 2 && frame.ends_stream());
        assert!(frames.iter().any(|frame| frame.payload == b"fine"), "after {name}: {frames:?}");
    }
}

/// Responses of the program itself: 404 and 502.
#[test]
fn own_responses_to_head_have_no_body() {
    let refusing = std::net::TcpListener::bind("127.3.0.1:0").unwrap().local_addr().unwrap();
    let program = Start::new().workers(1).flags(&["--route", &format!("a.test/refusing={refusing}")]).run();
    for (path, status) in [("/nothing", 404), ("/refusing", 502)] {
        let mut client = Client::connect(program.http());
        client.send(format!("HEAD {path} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        let head = client.head();
        assert_eq!(head.status, status);
        assert_ne!(head.field("content-length"), Some("0"));
        client.send(format!("HEAD {path} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        assert_eq!(client.head().status, status);

        let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
        client.send([h2::opening(), h2::headers(1, &h2::request("HEAD", "a.test", path), true)].concat());
        let frames = client.frames_until(|frame| frame.stream == 1 && frame.ends_stream());
        let of_stream: Vec<_> = frames.iter().filter(|frame| frame.stream == 1).collect();
        assert!(matches!(of_stream[..], [head] if head.kind == HEADERS), "{frames:?}");
        client.send(h2::headers(3, &h2::request("HEAD", "a.test", path), true));
        assert_eq!(client.answer(3), h2::Answer::Status(status));
    }
}

/// Over HTTP/2, the stream is ended by the head or by an empty DATA frame after it (RFC 9113, 8.1).
#[test]
fn http2_backends_may_end_the_stream_with_the_head_or_an_empty_frame() {
    for (method, status, length) in
        [("HEAD", "200", Some("9")), ("HEAD", "200", None), ("GET", "304", Some("9")), ("GET", "204", None)]
    {
        for at_once in [true, false] {
            let backend = Backend::start(move |connection| {
                connection.take(h2::PREFACE.len());
                let mut peer = Client::new(connection);
                peer.send([h2::frame(SETTINGS, 0, 0, &[]), h2::frame(SETTINGS, 1, 0, &[])].concat());
                while let Some(frame) = peer.frame() {
                    if frame.kind == HEADERS {
                        let length = length.map(|length| ("content-length", length.as_bytes()));
                        let head: Vec<_> = [(":status", status.as_bytes())].into_iter().chain(length).collect();
                        peer.send(h2::headers(frame.stream, &head, at_once));
                        if !at_once {
                            peer.send(h2::data(frame.stream, b"", true));
                        }
                    }
                }
            });
            let case = format!("{method} {status} {length:?}, at once: {at_once}");
            let program =
                Start::new().workers(1).flags(&["--route", &format!("a.test=h2c://{}", backend.address)]).run();
            let mut one = Client::connect(program.http());
            one.send(format!("{method} / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"));
            assert_eq!(one.head().status.to_string(), status, "{case}");
            assert_eq!(one.end(), (Vec::new(), End::Fin), "{case}");
            let mut two = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
            two.send([h2::opening(), h2::headers(1, &h2::request(method, "a.test", "/"), true)].concat());
            let is_last = |frame: &h2::Frame| frame.stream == 1 && (frame.kind == RST_STREAM || frame.ends_stream());
            let last = two.frames_until(is_last).pop().unwrap();
            assert_ne!(last.kind, RST_STREAM, "{case}");
        }
    }
}
