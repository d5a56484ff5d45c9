//! The first frames of HTTP/2 clients. On `http`, a client gets nothing before it has named a served host, however much it
//! sends.

use std::thread;

use crate::support::{
    Backend, Client, End, Program, Start, assert_none,
    client::exchange,
    h2::{self, Answer},
    shown,
    tls::Tls,
};

const CONTINUATION: u8 = 9;

type Cases = Vec<(&'static str, Vec<u8>)>;

fn start() -> (Program, Backend) {
    let backend = Backend::answering("ok");
    let start = Start::new().workers(1).route("a.test", &backend);
    (start.flags(&["--http-h2c", "silent", "--silence-deadline", "1s"]).run(), backend)
}

fn without(name: &str) -> Vec<(&'static str, &'static [u8])> {
    h2::get("a.test", "/").into_iter().filter(|(key, _)| *key != name).collect()
}

fn with(more: &[(&'static str, &'static [u8])]) -> Vec<u8> {
    h2::headers(1, &[&h2::get("a.test", "/"), more].concat(), true)
}

/// Requests that do not name a served host, or are malformed.
fn nameless() -> Cases {
    let mut twice = h2::get("a.test", "/");
    twice.push((":authority", b"a.test"));
    let unserved = h2::headers(1, &h2::get("nope.test", "/"), true);
    vec![
        ("an unserved name", unserved.clone()),
        ("an address", h2::headers(1, &h2::get("127.0.0.1", "/"), true)),
        ("no name", h2::headers(1, &without(":authority"), true)),
        ("no headers", h2::headers(1, &[], true)),
        ("no method", h2::headers(1, &without(":method"), true)),
        ("no path", h2::headers(1, &without(":path"), true)),
        ("two authorities", h2::headers(1, &twice, true)),
        ("an unknown pseudo-header", with(&[(":x", b"y")])),
        ("a pseudo-header for responses", with(&[(":status", b"200")])),
        ("a pseudo-header after other headers", with(&[("x", b"y"), (":path", b"/")])),
        ("an upper-case name", with(&[("X", b"y")])),
        ("a connection header", with(&[("connection", b"close")])),
        ("a host that differs", with(&[("host", b"b.test")])),
        ("invalid HPACK", h2::frame(h2::HEADERS, 5, 1, &[0xff; 20])),
        ("PING, then an unserved name", [h2::ping(1), unserved.clone()].concat()),
        ("SETTINGS, then an unserved name", [h2::frame(h2::SETTINGS, 0, 0, &[]), unserved.clone()].concat()),
        ("GOAWAY, then an unserved name", [h2::frame(h2::GOAWAY, 0, 0, &[0; 8]), unserved].concat()),
    ]
}

/// Large amounts of frames, but no request.
fn floods() -> Cases {
    let open = h2::frame(h2::HEADERS, 0, 1, &[0, 1, b'x', 1, b'y']);
    let field = [&[0, 1, b'x', 0x7f, 0x81, 0x7d][..], &[b'y'; 16_000 + 128]].concat();
    let fields = h2::frame(CONTINUATION, 0, 1, &field[..16_000]);
    let trailers = h2::headers(1, &[("x", b"y")], true);
    vec![
        ("PING", h2::ping(1).repeat(20_000)),
        ("SETTINGS", h2::frame(h2::SETTINGS, 0, 0, &[]).repeat(20_000)),
        ("WINDOW_UPDATE", h2::frame(8, 0, 0, &[0, 0, 0, 1]).repeat(20_000)),
        ("PRIORITY", h2::frame(2, 0, 1, &[0, 0, 0, 3, 1]).repeat(20_000)),
        ("an unknown type", h2::frame(99, 0, 0, &[0; 20]).repeat(20_000)),
        ("empty CONTINUATION", [open.clone(), h2::frame(CONTINUATION, 0, 1, &[]).repeat(20_000)].concat()),
        ("CONTINUATION", [open, fields.repeat(200)].concat()),
        ("trailers without a request", trailers.repeat(20_000)),
        ("requests without a name", (0..20_000).flat_map(|n| h2::headers(2 * n + 1, &[], true)).collect()),
        ("DATA without a stream", h2::data(1, b"x", false).repeat(20_000)),
        ("a frame that is too long", [&[0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1][..], &[0; 100_000]].concat()),
    ]
}

#[test]
fn without_tls_nothing_is_sent_before_a_served_name() {
    let (program, backend) = start();
    let mut bystander = Client::connect(program.http());
    assert_eq!(bystander.get("a.test", "/").status, 200);
    let before = program.peak_memory();
    let address = program.http();
    let cases = nameless().into_iter().chain(floods());
    let ends: Vec<_> = cases
        .map(|(name, frames)| {
            let bytes = [h2::opening(), frames].concat();
            (name, thread::spawn(move || exchange(address, &bytes)))
        })
        .collect();
    assert_eq!(bystander.get("a.test", "/").status, 200);
    let failures: Vec<_> = ends
        .into_iter()
        .map(|(name, end)| (name, end.join().unwrap()))
        .filter(|(_, (got, end))| !got.is_empty() || *end != End::Fin)
        .map(|(name, (got, end))| format!("{name}: {end:?} after {}", shown(&got)))
        .collect();
    assert_none(&failures);
    assert_eq!(bystander.get("a.test", "/").status, 200);
    assert_eq!(backend.requests().len(), 3);
    let grown = program.peak_memory().saturating_sub(before);
    println!("{grown} KiB of memory");
    assert!(grown < 32 * 1024, "{grown} KiB");
}

#[test]
fn over_tls_no_request_without_a_served_name_is_served() {
    let (program, backend) = start();
    for (name, frames) in nameless() {
        let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
        client.send([h2::opening(), frames].concat());
        let answer = client.answer(1);
        let silence = matches!(name, "an unserved name" | "an address") || name.ends_with("an unserved name");
        // h2 itself resets most malformed requests (RFC 9113, 8.1.1).
        let expected = match answer {
            Answer::Status(status) => status == 400 && !silence,
            Answer::StreamReset => !silence,
            Answer::GoAway | Answer::End => true,
        };
        assert!(expected, "{name}: {answer:?}");
    }
    assert!(backend.connections().is_empty());
    assert_eq!(Tls::trusting(&program).get(program.https(), "a.test", "a.test").status, 200);
}
