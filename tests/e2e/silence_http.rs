//! `http`: a client that has not named a served host gets no byte, and a FIN, never a reset.

use std::{io::Write, thread};

use crate::support::{
    Backend, Client, End, Program, Start, assert_none,
    backend::ok,
    client::exchange,
    h2, shown,
    tls::{TLS12, Tls},
};

const SERVED: &str = "served.test";

/// A deadline that no test reaches.
const NEVER: &str = "1h";

fn start(deadline: &str) -> (Program, Backend) {
    let backend = Backend::answering("hello");
    let start = Start::new().route(SERVED, &backend).route("*.below.test", &backend);
    (start.flags(&["--silence-deadline", deadline]).run(), backend)
}

/// Proves that the program does serve clients, so the silence was deliberate.
fn assert_serves(program: &Program) {
    let response = Client::connect(program.http()).get(SERVED, "/");
    assert_eq!((response.status, response.text()), (200, "hello"));
}

fn not_silent(name: &str, (got, end): &(Vec<u8>, End)) -> Option<String> {
    (!got.is_empty() || *end != End::Fin).then(|| format!("{name}: {end:?} after {}", shown(got)))
}

/// A request with these lines between the request line and the empty line.
fn get(target: &str, lines: &[&str]) -> Vec<u8> {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!("GET {target} HTTP/1.1\r\n{lines}\r\n").into_bytes()
}

fn host(host: &str) -> Vec<u8> {
    get("/", &[&format!("Host: {host}")])
}

fn names_nothing() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("an unknown host", host("nope.test")),
        ("an IPv4 address", host("127.0.0.1")),
        ("an IPv6 address", host("[::1]")),
        ("an IPv4 address with a port", host("127.0.0.1:80")),
        ("localhost", host("localhost")),
        ("no Host", get("/", &["X: y"])),
        ("no header at all", get("/", &[])),
        ("an empty Host", host("")),
        ("a Host of one dot", host(".")),
        ("two Hosts, the unknown one first", get("/", &["Host: nope.test", "Host: served.test"])),
        ("two Hosts, the served one first", get("/", &["Host: served.test", "Host: nope.test"])),
        ("two Hosts, both served", get("/", &["Host: served.test", "Host: served.test"])),
        ("userinfo before an unknown host", host("served.test@nope.test")),
        ("userinfo before a served host", host("user@served.test")),
        ("userinfo with a password", host("served.test:80@served.test")),
        ("a served host as a prefix", host("served.test.nope")),
        ("a served host as a suffix", host("nope.served.test")),
        ("a served host as the end of a label", host("nopeserved.test")),
        ("the parent of a wildcard", host("below.test")),
        ("a label that ends like the parent of a wildcard", host("a.nbelow.test")),
        ("a wildcard itself", host("*.below.test")),
        ("a list of hosts", host("served.test, nope.test")),
        ("a list without a space", host("served.test,served.test")),
        ("a space in the host", host("served .test")),
        ("two hosts separated by a space", host("nope.test served.test")),
        ("a tab in the host", host("served.test\tx")),
        ("two dots at the end", host("served.test..")),
        ("a dot at the beginning", host(".served.test")),
        ("port 0", host("served.test:0")),
        ("port 65536", host("served.test:65536")),
        ("a port that is a name", host("served.test:http")),
        ("a port with a sign", host("served.test:+80")),
        ("two ports", host("served.test:80:80")),
        ("a path in the host", host("served.test/")),
        ("a query in the host", host("served.test?")),
        ("a percent-encoded host", host("%73erved.test")),
        ("a quoted host", host("\"served.test\"")),
        ("a non-ASCII host", host("s\u{e9}rved.test")),
        ("a full-width host", host("\u{ff53}erved.test")),
        ("a host of 300 bytes", host(&format!("{}served.test", "a.".repeat(145)))),
        ("a scheme in the host", host("http://served.test")),
        ("an unserved target, a served Host", get("http://nope.test/", &["Host: served.test"])),
        ("an address as a target, a served Host", get("http://127.0.0.1/", &["Host: served.test"])),
        ("userinfo in the target", get("http://user@served.test/", &["Host: served.test"])),
        ("a served target and two Hosts", get("http://served.test/", &["Host: served.test", "Host: served.test"])),
        ("the target's authority alone", get("served.test:80", &["Host: served.test"])),
        ("the target's authority alone, unserved", get("nope.test:80", &["Host: served.test"])),
        ("X-Forwarded-Host", get("/", &["Host: nope.test", "X-Forwarded-Host: served.test"])),
        ("X-Forwarded-Host alone", get("/", &["X-Forwarded-Host: served.test"])),
        ("Forwarded", get("/", &["Host: nope.test", "Forwarded: host=served.test"])),
        ("a served name in another header", get("/served.test", &["Host: nope.test", "Referer: http://served.test/"])),
        ("HTTP/1.0 without a Host", b"GET / HTTP/1.0\r\n\r\n".to_vec()),
        ("HTTP/1.0, an unknown host", b"GET / HTTP/1.0\r\nHost: nope.test\r\n\r\n".to_vec()),
        ("HTTP/0.9", b"GET /\r\n".to_vec()),
        ("bare LF", b"GET / HTTP/1.1\nHost: nope.test\n\n".to_vec()),
        ("CONNECT", b"CONNECT nope.test:443 HTTP/1.1\r\nHost: nope.test:443\r\n\r\n".to_vec()),
        ("CONNECT, a served Host", b"CONNECT nope.test:443 HTTP/1.1\r\nHost: served.test\r\n\r\n".to_vec()),
        ("TRACE", b"TRACE / HTTP/1.1\r\nHost: nope.test\r\nMax-Forwards: 0\r\n\r\n".to_vec()),
        ("OPTIONS *", b"OPTIONS * HTTP/1.1\r\nHost: nope.test\r\n\r\n".to_vec()),
        ("an unknown method", b"BREW / HTTP/1.1\r\nHost: nope.test\r\n\r\n".to_vec()),
        ("an upgrade", get("/", &["Host: nope.test", "Connection: upgrade", "Upgrade: websocket"])),
        ("an upgrade to h2c", get("/", &["Host: nope.test", "Connection: upgrade", "Upgrade: h2c"])),
        ("several requests at once", [host("nope.test"), host("served.test")].concat()),
    ]
}

fn large() -> Vec<(&'static str, Vec<u8>)> {
    let post = |lines: &str, body: usize| {
        let head = format!("POST / HTTP/1.1\r\nHost: nope.test\r\n{lines}\r\n\r\n");
        [head.into_bytes(), vec![b'x'; body]].concat()
    };
    vec![
        ("a header of 64 KiB", get("/", &[&format!("X: {}", "a".repeat(65536))])),
        ("a header of 1 MiB that never ends", get("/", &[&format!("X: {}", "a".repeat(1 << 20))])[..1 << 20].to_vec()),
        ("a target of 128 KiB", get(&format!("/{}", "a".repeat(131_072)), &["Host: served.test"])),
        ("200 headers", get("/", &["A: b"; 200])),
        ("200 headers after an unknown host", get("/", &[&["Host: nope.test"][..], &["A: b"; 200]].concat())),
        ("Expect", post("Expect: 100-continue\r\nContent-Length: 5", 0)),
        ("Expect, and the body at once", post("Expect: 100-continue\r\nContent-Length: 5", 5)),
        ("a body of 20 kB", post("Content-Length: 20000", 20_000)),
        ("a body of 2 MB", post("Content-Length: 2000000", 2_000_000)),
        ("a body of 12 MB", post("Content-Length: 12000000", 12_000_000)),
        ("2 MB after an empty body", post("Content-Length: 0", 2_000_000)),
        ("a chunked body", [post("Transfer-Encoding: chunked", 0), b"3\r\nabc\r\n0\r\n\r\n".to_vec()].concat()),
        ("half a chunked body", [post("Transfer-Encoding: chunked", 0), b"fffff\r\nabc".to_vec()].concat()),
    ]
}

/// Not requests, although each contains a served host.
fn malformed() -> Vec<(&'static str, Vec<u8>)> {
    let raw = |text: &str| text.replace('\n', "\r\n").into_bytes();
    vec![
        ("a bad version", raw("GET / HTTP/1.2\nHost: served.test\n\n")),
        ("a version of another protocol", raw("GET / FTP/1.1\nHost: served.test\n\n")),
        ("no version", raw("GET /\nHost: served.test\n\n")),
        ("HTTP/2.0 in a request line", raw("GET / HTTP/2.0\nHost: served.test\n\n")),
        ("a space in the target", raw("GET /a b HTTP/1.1\nHost: served.test\n\n")),
        ("an empty method", raw(" / HTTP/1.1\nHost: served.test\n\n")),
        ("a control byte in the method", raw("G\x01T / HTTP/1.1\nHost: served.test\n\n")),
        ("a header without a colon", raw("GET / HTTP/1.1\nHost: served.test\nnonsense\n\n")),
        ("a header without a name", raw("GET / HTTP/1.1\nHost: served.test\n: nonsense\n\n")),
        ("a space in a header name", raw("GET / HTTP/1.1\nHost: served.test\nX Y: z\n\n")),
        ("a space before the colon", raw("GET / HTTP/1.1\nHost : served.test\n\n")),
        ("a folded header", raw("GET / HTTP/1.1\nHost: served.test\n folded\n\n")),
        ("NUL in a value", raw("GET / HTTP/1.1\nHost: served.test\nX: a\0b\n\n")),
        ("NUL in the host", raw("GET / HTTP/1.1\nHost: served.test\0\n\n")),
        ("a bare CR in a value", raw("GET / HTTP/1.1\nHost: served.test\nX: a\rb\n\n")),
        ("a length that is not a number", raw("POST / HTTP/1.1\nHost: served.test\nContent-Length: x\n\n")),
        ("a length with a sign", raw("POST / HTTP/1.1\nHost: served.test\nContent-Length: +3\n\nabc")),
        (
            "two lengths that differ",
            raw("POST / HTTP/1.1\nHost: served.test\nContent-Length: 1\nContent-Length: 2\n\nab"),
        ),
        (
            "a length beyond 64 bits",
            raw("POST / HTTP/1.1\nHost: served.test\nContent-Length: 99999999999999999999\n\n"),
        ),
        ("a coding that is not chunked", raw("POST / HTTP/1.1\nHost: served.test\nTransfer-Encoding: xchunked\n\n")),
        ("a coding in HTTP/1.0", raw("POST / HTTP/1.0\nHost: served.test\nTransfer-Encoding: chunked\n\n0\n\n")),
        ("a served host after 200 headers", get("/", &[&["A: b"; 200][..], &["Host: served.test"]].concat())),
        ("a served host after 128 KiB", get("/", &[&format!("X: {}", "a".repeat(131_072)), "Host: served.test"])),
    ]
}

fn other_protocols() -> Vec<(&'static str, Vec<u8>)> {
    let h2_request = [h2::opening(), h2::headers(1, &h2::get(SERVED, "/"), true)].concat();
    vec![
        ("the HTTP/2 preface", h2::PREFACE.to_vec()),
        ("HTTP/2 that names a served host", h2_request),
        ("a ClientHello", Tls::stranger().hello(SERVED)),
        ("a ClientHello of TLS 1.2", Tls::stranger().versions(&[&TLS12]).hello(SERVED)),
        (
            "PROXY, version 1",
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nHost: served.test\r\n\r\n".to_vec(),
        ),
        (
            "PROXY, version 2",
            [b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", &b"GET / HTTP/1.1\r\nHost: served.test\r\n\r\n"[..]].concat(),
        ),
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ("SMTP", b"EHLO served.test\r\n".to_vec()),
        ("RTSP", b"OPTIONS / RTSP/1.0\r\n\r\n".to_vec()),
        ("SIP", b"OPTIONS sip:served.test SIP/2.0\r\n\r\n".to_vec()),
        ("zeros", vec![0; 1000]),
        ("every byte value", (0..=255).collect()),
        ("empty lines, then nothing served", b"\r\n\r\nGET / HTTP/1.1\r\nHost: nope.test\r\n\r\n".to_vec()),
    ]
}

#[test]
fn clients_that_name_no_served_host_get_nothing() {
    let (program, backend) = start(NEVER);
    let mut failures = Vec::new();
    for (name, bytes) in [names_nothing(), large(), malformed(), other_protocols()].concat() {
        failures.extend(not_silent(name, &exchange(program.http(), &bytes)));
    }
    assert_none(&failures);
    assert!(backend.connections().is_empty());
    assert_serves(&program);
}

#[test]
fn a_client_that_leaves_early_gets_nothing() {
    let (program, _backend) = start(NEVER);
    let mut failures = Vec::new();
    for (name, bytes) in [
        ("nothing sent", &b""[..]),
        ("half a method", b"GE"),
        ("half a head", b"GET / HTTP/1.1\r\nHost: served.test\r\n"),
        ("half a host", b"GET / HTTP/1.1\r\nHos"),
        ("half of the HTTP/2 preface", b"PRI * HTTP/2.0\r\n"),
    ] {
        let mut client = Client::connect(program.http());
        client.send(bytes);
        client.finish_sending();
        failures.extend(not_silent(name, &client.end()));
    }
    assert_none(&failures);
    assert_serves(&program);
}

#[test]
fn a_client_that_stalls_gets_nothing_at_the_deadline() {
    let (program, _backend) = start("1s");
    let cases: [(&str, &[u8]); 7] = [
        ("nothing sent", b""),
        ("half a head", b"GET / HTTP/1.1\r\nHos"),
        ("all but the last byte", b"GET / HTTP/1.1\r\nHost: served.test\r\n\r"),
        ("a host, but no end of the head", b"GET / HTTP/1.1\r\nHost: served.test\r\n"),
        ("half of the HTTP/2 preface", b"PRI * HTTP/2.0\r\n"),
        ("empty lines", b"\r\n\r\n\r\n"),
        ("half a ClientHello", b"\x16\x03\x01"),
    ];
    let address = program.http();
    let ends = cases.map(|(name, bytes)| (name, thread::spawn(move || exchange(address, bytes))));
    let failures: Vec<_> = ends.into_iter().filter_map(|(name, end)| not_silent(name, &end.join().unwrap())).collect();
    assert_none(&failures);
    assert_serves(&program);
}

#[test]
fn sending_byte_by_byte_changes_nothing() {
    let (program, _backend) = start(NEVER);
    for (name, expected) in [("nope.test", None), (SERVED, Some(200))] {
        let mut client = Client::connect(program.http());
        // After the rejection, writing the rest can fail, because the connection is closed.
        let sent = host(name).iter().try_for_each(|byte| client.stream.write_all(&[*byte]));
        match expected {
            None => assert_eq!(client.end(), (Vec::new(), End::Fin)),
            Some(status) => {
                sent.unwrap();
                assert_eq!(client.response().status, status);
            }
        }
    }
}

#[test]
fn all_valid_ways_to_name_a_served_host_are_accepted() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            connection.send(ok(request.field("host")));
        }
    });
    let program = Start::new().route(SERVED, &backend).route("*.below.test", &backend).run();
    for (name, bytes, forwarded) in [
        ("as it is", host("served.test"), "served.test"),
        ("in upper case", host("SERVED.Test"), "SERVED.Test"),
        ("with a dot at the end", host("served.test."), "served.test."),
        ("with a port", host("served.test:8080"), "served.test:8080"),
        ("with the last port", host("served.test.:65535"), "served.test.:65535"),
        ("below a wildcard", host("a.below.test"), "a.below.test"),
        ("deep below a wildcard", host("c.b.a.below.test"), "c.b.a.below.test"),
        ("white space around", get("/", &["Host: \t served.test \t"]), "served.test"),
        ("in the target", get("http://served.test/", &["Host: served.test"]), "served.test"),
        ("in the target, with another Host", get("http://served.test/", &["Host: nope.test"]), "served.test"),
        ("in the target, with an empty Host", get("http://served.test/", &["Host:"]), "served.test"),
        ("in the target alone", get("http://Served.test:80/", &[]), "Served.test:80"),
        ("in HTTP/1.0", b"GET / HTTP/1.0\r\nHost: served.test\r\n\r\n".to_vec(), "served.test"),
        ("after empty lines", [b"\r\n\r\n", &host("served.test")[..]].concat(), "served.test"),
    ] {
        let mut client = Client::connect(program.http());
        client.send(bytes);
        let response = client.response();
        assert_eq!((response.status, response.text()), (200, forwarded), "{name}");
    }
}

#[test]
fn without_a_route_nothing_is_served() {
    let program = Start::new().run();
    program.wait_for_line("no routes, so nothing is served");
    for name in ["served.test", "127.0.0.1", "localhost"] {
        assert_eq!(exchange(program.http(), &host(name)), (Vec::new(), End::Fin), "{name}");
    }
}
