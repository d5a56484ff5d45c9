//! `OPTIONS *`, a request about the server as a whole (RFC 9110, 9.3.7).

use std::sync::{Mutex, mpsc};

use crate::support::{
    Backend, Client, PATIENCE, Start,
    backend::ok,
    h2::{self, Answer, HEADERS, SETTINGS},
    tls::Tls,
};

fn named(name: &'static str) -> Backend {
    Backend::start(move |connection| {
        while let Some(request) = connection.request() {
            connection.send(ok(&format!("{name} {}", request.target)));
        }
    })
}

#[test]
fn options_asterisk_goes_to_the_route_without_a_prefix() {
    let [root, api, other] = ["root", "api", "other"].map(named);
    let program = Start::new().route("a.test", &root).route("a.test/api", &api).route("b.test/only", &other).run();
    let mut client = Client::connect(program.http());
    for (target, status, text) in [
        ("OPTIONS *", 200, "root *"),
        ("OPTIONS /api", 200, "api /api"),
        // RFC 9112, 3.2.4.
        ("OPTIONS http://a.test", 200, "root *"),
        ("OPTIONS http://a.test/", 200, "root /"),
        ("OPTIONS http://a.test?x", 200, "root /?x"),
        ("OPTIONS http://a.test/api", 200, "api /api"),
    ] {
        client.send(format!("{target} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        let response = client.response();
        assert_eq!((response.status, response.text()), (status, text), "{target}");
    }
    client.send("OPTIONS * HTTP/1.1\r\nHost: b.test\r\n\r\n");
    assert_eq!(client.response().status, 404);
    client.send("GET * HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(client.response().status, 400);

    let mut two = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    two.send([h2::opening(), h2::headers(1, &h2::request("OPTIONS", "a.test", "*"), true)].concat());
    let frames = two.frames_until(|frame| frame.stream == 1 && frame.ends_stream());
    assert!(frames.iter().any(|frame| frame.payload == b"root *"), "{frames:?}");
    two.send(h2::headers(3, &h2::get("a.test", "*"), true));
    assert_eq!(two.answer(3), Answer::Status(400));
}

#[test]
fn options_asterisk_reaches_a_route_that_strips_its_prefix() {
    let backend = named("root");
    let program = Start::new()
        .config(&format!("[[routes]]\nhost = \"a.test\"\nstrip_prefix = true\nupstream = [\"{}\"]\n", backend.address))
        .run();
    let mut client = Client::connect(program.http());
    client.send("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(client.response().text(), "root *");
}

#[test]
fn options_asterisk_reaches_an_http2_backend() {
    let (seen, heads) = mpsc::channel();
    let seen = Mutex::new(seen);
    let backend = Backend::start(move |connection| {
        connection.take(h2::PREFACE.len());
        let mut peer = Client::new(connection);
        peer.send([h2::frame(SETTINGS, 0, 0, &[]), h2::frame(SETTINGS, 1, 0, &[])].concat());
        while let Some(frame) = peer.frame() {
            if frame.kind == HEADERS {
                peer.send(h2::headers(frame.stream, &[(":status", b"204")], true));
                seen.lock().unwrap().send(frame.payload).unwrap();
            }
        }
    });
    let program = Start::new().workers(1).flags(&["--route", &format!("a.test=h2c://{}", backend.address)]).run();
    let mut client = Client::connect(program.http());
    client.send("OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(client.head().status, 204);
    // `:path` is entry 4 of the HPACK table. Its value is one byte, literal or Huffman-coded, and not `/`.
    let block = heads.recv_timeout(PATIENCE).unwrap();
    let path = [[4, 1, b'*'], [4, 0x81, 0xf9], [0x44, 1, b'*'], [0x44, 0x81, 0xf9]];
    assert!(path.iter().any(|path| block.windows(3).any(|three| three == path)), "{block:x?}");
}
