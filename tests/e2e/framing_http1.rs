//! HTTP/1.1 that two parsers could read differently never reaches a backend.

use std::io::Write;

use crate::support::{
    Backend, Client, End, Program, Start, assert_none,
    backend::ok,
    client::{exchange, get},
    shown,
};

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a.test\r\n";

fn post(fields: &str, body: &str) -> Vec<u8> {
    format!("{HEAD}{fields}\r\n\r\n{body}").into_bytes()
}

fn start() -> (Program, Backend) {
    let backend = Backend::answering("ok");
    (Start::new().route("a.test", &backend).run(), backend)
}

/// Stops the program. Returns the number of requests that the backend received, and panics if any bytes are ambiguous.
fn stop_and_count_requests(program: Program, backend: &Backend) -> usize {
    drop(program);
    backend.wait_for_end();
    backend.requests().len()
}

#[test]
fn unambiguous_requests_are_forwarded() {
    let (program, backend) = start();
    let get = |fields: &str| format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n").into_bytes();
    let cases = [
        ("GET", get(""), 1),
        ("HTTP/1.0", b"GET / HTTP/1.0\r\nHost: a.test\r\n\r\n".to_vec(), 1),
        ("a length", post("Content-Length: 3", "abc"), 1),
        ("a length of 0", post("Content-Length: 0", ""), 1),
        ("a length with leading zeros", post("Content-Length: 003", "abc"), 1),
        // RFC 9110, 8.6: equal values may be merged into one.
        ("two lengths that agree", post("Content-Length: 3\r\nContent-Length: 3", "abc"), 1),
        ("a POST without a body", post("X: y", ""), 1),
        ("chunks", post("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"), 1),
        ("Chunked, in another case", post("Transfer-Encoding: CHUNKED", "3\r\nabc\r\n0\r\n\r\n"), 1),
        ("only the last chunk", post("Transfer-Encoding: chunked", "0\r\n\r\n"), 1),
        ("a chunk size with leading zeros", post("Transfer-Encoding: chunked", "0003\r\nabc\r\n000\r\n\r\n"), 1),
        ("trailers", post("Transfer-Encoding: chunked\r\nTrailer: x", "3\r\nabc\r\n0\r\nx: y\r\n\r\n"), 1),
        (
            "a framing header as a trailer",
            post("Transfer-Encoding: chunked", "0\r\nContent-Length: 9\r\nHost: b\r\n\r\n"),
            1,
        ),
        (
            "a forwarding header as a trailer",
            post("Transfer-Encoding: chunked", "0\r\nX-Forwarded-For: 1.1.1.1\r\n\r\n"),
            1,
        ),
        ("a GET with a length", [get("Content-Length: 5\r\n"), b"hello".to_vec()].concat(), 1),
        ("a GET in chunks", [get("Transfer-Encoding: chunked\r\n"), b"3\r\nabc\r\n0\r\n\r\n".to_vec()].concat(), 1),
        ("a HEAD with a length", b"HEAD / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n".to_vec(), 1),
        (
            "a body that looks like a request",
            post("Content-Length: 35", "GET /x HTTP/1.1\r\nHost: a.test\r\n\r\nabc"),
            1,
        ),
        ("underscored aliases", post("Content_Length: 5\r\nTransfer_Encoding: chunked\r\nContent-Length: 3", "abc"), 1),
        ("pipelined", [get(""), post("Content-Length: 3", "abc"), get("")].concat(), 3),
        ("pipelined in chunks", [post("Transfer-Encoding: chunked", "0\r\n\r\n"), get("")].concat(), 2),
        ("the absolute form", b"GET http://a.test/ HTTP/1.1\r\nHost: nope.test\r\n\r\n".to_vec(), 1),
        ("the absolute form without a path", b"GET http://a.test HTTP/1.1\r\nHost: a.test\r\n\r\n".to_vec(), 1),
        ("OPTIONS *", b"OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n".to_vec(), 1),
        ("Connection names the length", post("Connection: content-length\r\nContent-Length: 3", "abc"), 1),
        (
            "Connection names the coding",
            post("Connection: transfer-encoding\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
            1,
        ),
        ("Connection names the host", get("Connection: host\r\n"), 1),
    ];
    let mut expected = 0;
    for (name, bytes, requests) in &cases {
        let mut client = Client::connect(program.http());
        client.send(bytes);
        for _ in 0..*requests {
            let response = if name.contains("HEAD") { client.head() } else { client.response() };
            assert_eq!(response.status, 200, "{name}");
        }
        expected += requests;
    }
    assert_eq!(stop_and_count_requests(program, &backend), expected);
    // Some parsers would read it as octal.
    let zeros = ("content-length".to_owned(), "003".to_owned());
    assert!(backend.requests().iter().all(|request| !request.fields.contains(&zeros)));
}

/// Requests that are rejected as a whole: no byte of them is forwarded.
fn ambiguous_heads() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("two lengths that differ", post("Content-Length: 3\r\nContent-Length: 4", "abcd")),
        ("a list of lengths", post("Content-Length: 3, 3", "abc")),
        ("a length with a sign", post("Content-Length: +3", "abc")),
        ("a negative length", post("Content-Length: -3", "abc")),
        ("a hexadecimal length", post("Content-Length: 0x3", "abc")),
        ("a length with a fraction", post("Content-Length: 3.0", "abc")),
        ("a length with a space inside", post("Content-Length: 3 3", "abc")),
        ("an empty length", post("Content-Length:", "abc")),
        ("a length beyond 64 bits", post("Content-Length: 18446744073709551619", "abc")),
        ("a space before the colon of a length", post("Content-Length : 3", "abc")),
        ("a space before the colon of a coding", post("Transfer-Encoding : chunked", "0\r\n\r\n")),
        ("a tab before the colon of a coding", post("Transfer-Encoding\t: chunked", "0\r\n\r\n")),
        ("a folded coding", post("Transfer-Encoding:\r\n chunked", "0\r\n\r\n")),
        ("a folded length", post("Content-Length:\r\n\t3", "abc")),
        ("a folded header", post("X: a\r\n Transfer-Encoding: chunked\r\nContent-Length: 3", "abc")),
        ("a fold before the first header", b"POST / HTTP/1.1\r\n X: y\r\nHost: a.test\r\n\r\n".to_vec()),
        ("xchunked", post("Transfer-Encoding: xchunked", "0\r\n\r\n")),
        ("chunkedx", post("Transfer-Encoding: chunkedx", "0\r\n\r\n")),
        ("chunked in quotes", post("Transfer-Encoding: \"chunked\"", "0\r\n\r\n")),
        ("identity, chunked", post("Transfer-Encoding: identity, chunked", "0\r\n\r\n")),
        ("chunked, identity", post("Transfer-Encoding: chunked, identity", "0\r\n\r\n")),
        ("chunked, chunked", post("Transfer-Encoding: chunked, chunked", "0\r\n\r\n")),
        ("gzip, chunked", post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n")),
        ("chunked with a parameter", post("Transfer-Encoding: chunked;q=1", "0\r\n\r\n")),
        ("a comma before chunked", post("Transfer-Encoding: ,chunked", "0\r\n\r\n")),
        ("a vertical tab before chunked", post("Transfer-Encoding: \x0bchunked", "0\r\n\r\n")),
        ("two codings that agree", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
        ("two codings that differ", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: cow", "0\r\n\r\n")),
        ("an empty coding", post("Transfer-Encoding:", "0\r\n\r\n")),
        ("a coding in 1.0", b"POST / HTTP/1.0\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_vec()),
        ("NUL in a value", post("X: a\0b", "")),
        ("NUL in a name", post("X\0: a", "")),
        ("a bare CR in a value", post("X: a\rb", "")),
        ("a bare CR before a coding", post("X: a\rTransfer-Encoding: chunked", "")),
        ("a control byte in a value", post("X: a\x01b", "")),
        ("a line without a colon", post("Transfer-Encoding chunked", "")),
        ("an empty name", post(": chunked", "")),
        ("a space in a name", post("X Transfer-Encoding: chunked", "")),
        ("a space in the target", b"GET /a b HTTP/1.1\r\nHost: a.test\r\n\r\n".to_vec()),
        ("a tab in the target", b"GET /a\tb HTTP/1.1\r\nHost: a.test\r\n\r\n".to_vec()),
        ("a control byte in the target", b"GET /a\x01b HTTP/1.1\r\nHost: a.test\r\n\r\n".to_vec()),
        ("a non-ASCII byte in the target", b"GET /\xff HTTP/1.1\r\nHost: a.test\r\n\r\n".to_vec()),
        ("two spaces in the request line", b"GET  / HTTP/1.1\r\nHost: a.test\r\n\r\n".to_vec()),
        ("a third word in the request line", b"GET / HTTP/1.1 x\r\nHost: a.test\r\n\r\n".to_vec()),
        ("another scheme", b"GET ftp://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n".to_vec()),
    ]
}

/// Bodies that turn out to be ambiguous after the head has been forwarded: the backend sees a request that never completes.
fn ambiguous_chunks() -> Vec<(&'static str, Vec<u8>)> {
    let chunked = |body: &str| post("Transfer-Encoding: chunked", body);
    vec![
        ("bare LF after a size", chunked("3\nabc\r\n0\r\n\r\n")),
        ("bare LF after a chunk", chunked("3\r\nabc\n0\r\n\r\n")),
        ("bare LF throughout", chunked("3\nabc\n0\n\n")),
        ("bare CR after a size", chunked("3\rabc\r\n0\r\n\r\n")),
        ("a size with 0x", chunked("0x3\r\nabc\r\n0\r\n\r\n")),
        ("a size with a sign", chunked("+3\r\nabc\r\n0\r\n\r\n")),
        ("a negative size", chunked("-3\r\nabc\r\n0\r\n\r\n")),
        ("a size beyond 64 bits", chunked("10000000000000003\r\nabc\r\n0\r\n\r\n")),
        ("a size that is not a number", chunked("g\r\nabc\r\n0\r\n\r\n")),
        ("no size", chunked("\r\nabc\r\n0\r\n\r\n")),
        ("a chunk that is too long", chunked("3\r\nabcd\r\n0\r\n\r\n")),
        ("a chunk that is too short", chunked("5\r\nabc\r\n0\r\n\r\n")),
        ("a chunk without an end", chunked("3\r\nabc0\r\n\r\n")),
        ("a trailer without a colon", chunked("0\r\nx\r\n\r\n")),
        ("a trailer with a space before the colon", chunked("0\r\nx : y\r\n\r\n")),
        ("bare LF in an extension", chunked("3;a\nb\r\nabc\r\n0\r\n\r\n")),
    ]
}

/// An extension is dropped or rejected, never forwarded (RFC 9112, 7.1.1).
fn chunk_extensions() -> Vec<(&'static str, Vec<u8>)> {
    let chunked = |body: &str| post("Transfer-Encoding: chunked", body);
    vec![
        ("an extension", chunked("3;a=b\r\nabc\r\n0\r\n\r\n")),
        ("an extension of the last chunk", chunked("3\r\nabc\r\n0;a=b\r\n\r\n")),
        ("a quoted extension", chunked("3;a=\"\\\"\"\r\nabc\r\n0\r\n\r\n")),
        ("white space before an extension", chunked("3 ;a\r\nabc\r\n0\r\n\r\n")),
        ("white space after a size", chunked("3 \r\nabc\r\n0\r\n\r\n")),
    ]
}

/// Sends `bytes`, and checks that they get a single 4xx response or, if `may_be_silent`, nothing.
fn check_refused(client: &mut Client<std::net::TcpStream>, bytes: &[u8], may_be_silent: bool) -> Result<(), String> {
    client.stream.write_all(bytes).map_err(|error| error.to_string())?;
    let (got, end) = client.end();
    let is_4xx = got.starts_with(b"HTTP/1.1 4") && got.windows(9).filter(|nine| nine == b"HTTP/1.1 ").count() == 1;
    if end == End::Fin && (is_4xx || may_be_silent && got.is_empty()) {
        Ok(())
    } else {
        Err(format!("{end:?} after {}", shown(&got)))
    }
}

#[test]
fn ambiguous_requests_are_rejected() {
    let (program, backend) = start();
    let mut failures = Vec::new();
    for (name, bytes) in [ambiguous_heads(), ambiguous_chunks()].concat() {
        // On the first request, bad syntax may mean that no host was named. Then there is silence.
        let fresh = check_refused(&mut Client::connect(program.http()), &bytes, true);
        failures.extend(fresh.err().map(|error| format!("{name}: {error}")));
        let mut client = Client::connect(program.http());
        assert_eq!(client.get("a.test", "/").status, 200);
        failures.extend(check_refused(&mut client, &bytes, false).err().map(|error| format!("{name}, later: {error}")));
    }
    assert_none(&failures);
    assert_eq!(stop_and_count_requests(program, &backend), ambiguous_heads().len() + ambiguous_chunks().len());
}

#[test]
fn transfer_encoding_overrides_content_length_and_closes_the_connection() {
    let (program, backend) = start();
    let smuggled = get("a.test", "/smuggled");
    for fields in ["Content-Length: 6\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 6"]
    {
        // RFC 9112, 6.3: bytes after the chunks must not be read as a request.
        let mut client = Client::connect(program.http());
        client.send(post(fields, &format!("0\r\n\r\n{smuggled}")));
        client.response();
        assert_eq!(client.end(), (Vec::new(), End::Fin), "{fields}");
    }
    drop(program);
    backend.wait_for_end();
    let requests = backend.requests();
    assert!(requests.iter().all(|request| request.target == "/"), "{requests:?}");
    assert!(requests.iter().all(|request| request.all("content-length").is_empty()), "{requests:?}");
}

#[test]
fn trace_and_connect_get_405() {
    let (program, backend) = start();
    for target in ["TRACE /", "CONNECT a.test:80"] {
        let mut client = Client::connect(program.http());
        client.send(format!("{target} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        assert_eq!(client.response().status, 405, "{target}");
    }
    assert_eq!(stop_and_count_requests(program, &backend), 0);
}

#[test]
fn chunk_extensions_are_not_forwarded() {
    let (program, backend) = start();
    for (name, bytes) in chunk_extensions() {
        let mut client = Client::connect(program.http());
        client.send(bytes);
        assert!(matches!(client.response().status, 200 | 400), "{name}");
    }
    stop_and_count_requests(program, &backend);
}

#[test]
fn bare_lf_is_accepted_but_not_forwarded() {
    let (program, backend) = start();
    // RFC 9112, 2.2 allows a server to accept them. They are forwarded with CRLF.
    for case in [
        "GET / HTTP/1.1\nHost: a.test\nConnection: close\n\n",
        "GET / HTTP/1.1\r\nHost: a.test\nConnection: close\r\n\r\n",
        "POST / HTTP/1.1\nHost: a.test\nContent-Length: 3\nConnection: close\n\nabc",
    ] {
        let (got, end) = exchange(program.http(), case.as_bytes());
        assert!(end == End::Fin && (got.is_empty() || got.starts_with(b"HTTP/1.1 200 ")), "{end:?} {}", shown(&got));
    }
    stop_and_count_requests(program, &backend);
}

#[test]
fn a_body_that_arrives_after_the_response_is_not_read_as_a_request() {
    // Responds as soon as it has the head.
    let backend = Backend::start(|connection| {
        while let Some(head) = connection.head() {
            connection.send(ok("early"));
            let length = head.all("content-length").first().map_or(0, |length| length.parse().unwrap());
            let Some(_body) = connection.take(length) else { break };
        }
    });
    let program = Start::new().route("a.test", &backend).run();
    let smuggled = get("a.test", "/smuggled");
    for round in 0..20 {
        let mut client = Client::connect(program.http());
        client.send(format!("POST /outer HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n", smuggled.len()));
        assert_eq!(client.response().text(), "early");
        // All of it, some of it or none, because the connection may be closed by now.
        let _ = client.stream.write_all(&smuggled.as_bytes()[smuggled.len() * (round % 3) / 2..]);
        assert_eq!(Client::connect(program.http()).get("a.test", "/next").text(), "early");
    }
    drop(program);
    backend.wait_for_end();
    let targets: Vec<_> = backend.requests().into_iter().map(|request| request.target).collect();
    assert!(targets.iter().all(|target| matches!(&**target, "/outer" | "/next")), "{targets:?}");
}

#[test]
fn a_client_that_leaves_during_its_body_leaves_no_partial_request() {
    for fields in ["Content-Length: 1000", "Transfer-Encoding: chunked"] {
        let (program, backend) = start();
        let mut client = Client::connect(program.http());
        client.send(post(fields, "3\r\nabc\r\n"));
        // Only once the backend has a part of it is there something to cut off.
        backend.wait_for_bytes(b"abc\r\n");
        drop(client);
        // This also closes the backend connection.
        backend.wait_for_end();
        assert_eq!(Client::connect(program.http()).get("a.test", "/next").text(), "ok");
        drop(program);
        backend.wait_for_end();
        assert_eq!(backend.request().target, "/next");
    }
}
