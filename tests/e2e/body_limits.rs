//! Request bodies over the limit get 413, and no backend mistakes a part for the whole.

use crate::support::{
    Backend, Client, Connection, End, Start,
    h2::{self, Answer},
    read,
    tls::Tls,
};

fn post(length: usize) -> String {
    format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {length}\r\n\r\n")
}

const CHUNKED: &str = "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";

#[test]
fn a_request_with_a_length_over_the_limit_never_reaches_the_backend() {
    let backend = Backend::answering("ok");
    let program = Start::new().route("a.test", &backend).flags(&["--max-body", "1KiB"]).run();
    for expect in ["", "Expect: 100-continue\r\n"] {
        let mut client = Client::connect(program.http());
        client.send(post(1025).replace("Host", &format!("{expect}Host")));
        let response = client.response();
        assert_eq!((response.status, response.field("connection")), (413, Some("close")));
        assert_eq!(client.end(), (Vec::new(), End::Fin));
    }
    assert!(backend.connections().is_empty());

    let mut client = Client::connect(program.http());
    for _ in 0..2 {
        client.send(post(1024) + &"x".repeat(1024));
        assert_eq!(client.response().status, 200);
    }
}

#[test]
fn a_body_of_unknown_length_is_cut_off_at_the_limit() {
    let backend = Backend::start(Connection::drain);
    let program = Start::new().route("a.test", &backend).flags(&["--max-body", "1000"]).run();
    let mut client = Client::connect(program.http());
    client.send(CHUNKED);
    client.send(format!("1f4\r\n{}\r\n", "x".repeat(500)));
    backend.wait_for_bytes(b"xxx\r\n");
    client.send(format!("1f5\r\n{}\r\n", "y".repeat(501)));
    assert_eq!(client.response().status, 413);
    for record in backend.wait_for_end() {
        // A head and a part of a body, without the last chunk.
        assert!(read::head(&record.bytes).unwrap().is_some());
        assert_eq!(read::request(&record.bytes), Ok(None));
        assert!(!record.bytes.contains(&b'y'));
    }
    // The backend has not failed, so it gets the next request at once.
    let mut client = Client::connect(program.http());
    client.send(post(3) + "abc");
    backend.wait_for_bytes(b"\r\n\r\nabc");
}

#[test]
fn the_limit_applies_over_http2() {
    let backend = Backend::start(Connection::drain);
    let program = Start::new().route("a.test", &backend).flags(&["--max-body", "1000"]).run();
    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send([h2::opening(), h2::headers(1, &h2::request("POST", "a.test", "/"), false)].concat());
    client.send(h2::data(1, &[b'x'; 1001], false));
    assert!(matches!(client.answer(1), Answer::Status(413)));
    backend.wait_for_end();
}

#[test]
fn a_route_can_set_its_own_limit() {
    let backend = Backend::answering("ok");
    let upstream = backend.address;
    let program = Start::new()
        .config(&format!(
            "max_body = \"1KiB\"\n\
             [[routes]]\nhost = \"a.test\"\nupstream = [\"{upstream}\"]\n\
             [[routes]]\nhost = \"a.test\"\nprefix = \"/upload\"\nupstream = [\"{upstream}\"]\nmax_body = \"1MiB\"\n\
             [[routes]]\nhost = \"a.test\"\nprefix = \"/any\"\nupstream = [\"{upstream}\"]\nmax_body = \"off\"\n"
        ))
        .run();
    for (path, length, expected) in
        [("/", 2000, 413), ("/upload", 1 << 20, 200), ("/upload", (1 << 20) + 1, 413), ("/any", 2 << 20, 200)]
    {
        let mut client = Client::connect(program.http());
        client.send(post(length).replacen('/', path, 1));
        if expected == 200 {
            client.send("x".repeat(length));
        }
        assert_eq!(client.response().status, expected, "{path} {length}");
    }
}
