//! Requests after the first on a connection: each one has to name a served host, over TLS that of the SNI.

use crate::support::{
    Backend, Client, End, Program, Start,
    client::get,
    h2::{self, Answer, Frame},
    tls::{Tls, TlsStream, raw_rest},
};

fn start() -> (Program, Backend) {
    let backend = Backend::answering("hello");
    (Start::new().route("served.test", &backend).route("other.test", &backend).run(), backend)
}

/// A connection of HTTP/2 on which a request was answered and nothing is under way.
fn quiet_h2(program: &Program) -> Client<TlsStream> {
    let mut client = Tls::of(program).alpn(&["h2"]).connect(program.https(), "served.test").unwrap();
    client.send([h2::opening(), h2::headers(1, &h2::get("served.test", "/"), true)].concat());
    assert_eq!(client.answer(1), Answer::Status(200));
    client.frames_until(|frame| frame.stream == 1 && frame.ends_stream());
    client.send([h2::frame(h2::SETTINGS, 1, 0, &[]), h2::ping(1)].concat());
    client.frames_until(|frame| frame.kind == h2::PING && frame.is_ack());
    client
}

#[test]
fn plain_then_unserved() {
    let (program, backend) = start();
    for host in ["nope.test", "127.0.0.1", "", "served.test, other.test"] {
        let mut client = Client::connect(program.http());
        assert_eq!(client.get("served.test", "/").status, 200);
        assert_eq!(client.get("other.test", "/").status, 200);
        client.send(get(host, "/"));
        assert_eq!(client.end(), (Vec::new(), End::Fin), "{host}");
    }
    assert_eq!(backend.requests().len(), 8);
}

#[test]
fn plain_then_unserved_with_a_body() {
    let (program, _backend) = start();
    let mut client = Client::connect(program.http());
    assert_eq!(client.get("served.test", "/").status, 200);
    client.send("POST / HTTP/1.1\r\nHost: nope.test\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n");
    client.send([b'x'; 100_000]);
    assert_eq!(client.end(), (Vec::new(), End::Fin));
}

#[test]
fn pipelined() {
    let (program, backend) = start();
    let mut client = Client::connect(program.http());
    client.send([get("served.test", "/1"), get("nope.test", "/2"), get("served.test", "/3")].concat());
    let response = client.response();
    assert_eq!((response.status, response.text()), (200, "hello"));
    assert_eq!(client.end(), (Vec::new(), End::Fin));
    assert_eq!(backend.request().target, "/1");
}

#[test]
fn tls_then_another_served_host_is_misdirected() {
    let (program, backend) = start();
    let mut client = Tls::of(&program).connect(program.https(), "served.test").unwrap();
    for (host, status) in [("served.test", 200), ("other.test", 421), ("served.test", 200)] {
        assert_eq!(client.get(host, "/").status, status, "{host}");
    }
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn tls_first_another_served_host_is_misdirected() {
    let (program, backend) = start();
    assert_eq!(Tls::of(&program).get(program.https(), "served.test", "other.test").status, 421);
    assert!(backend.requests().is_empty());
}

#[test]
fn h2_then_another_served_host_is_misdirected() {
    let (program, backend) = start();
    let mut client = quiet_h2(&program);
    for (stream, host, status) in [(3, "other.test", 421), (5, "served.test", 200), (7, "other.test", 421)] {
        client.send(h2::headers(stream, &h2::get(host, "/"), true));
        assert_eq!(client.answer(stream), Answer::Status(status), "{host}");
    }
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn tls_then_unserved_ends_in_silence() {
    let (program, _backend) = start();
    for host in ["nope.test", "127.0.0.1", "", "user@served.test"] {
        let mut client = Tls::of(&program).connect(program.https(), "served.test").unwrap();
        assert_eq!(client.get("served.test", "/").status, 200);
        client.send(get(host, "/"));
        assert_eq!(raw_rest(&mut client).unwrap(), [], "{host}");
    }
}

#[test]
fn tls_first_unserved_ends_in_silence() {
    let (program, _backend) = start();
    let mut client = Tls::of(&program).connect(program.https(), "served.test").unwrap();
    client.send(get("nope.test", "/"));
    assert_eq!(client.end(), (Vec::new(), End::FinWithoutAlert));
}

#[test]
fn h2_then_unserved_ends_in_silence() {
    let (program, _backend) = start();
    for host in ["nope.test", "127.0.0.1", "user@served.test", "served.test,other.test"] {
        let mut client = quiet_h2(&program);
        client.send(h2::headers(3, &h2::get(host, "/"), true));
        assert_eq!(raw_rest(&mut client).unwrap(), [], "{host}");
    }
}

#[test]
fn h2_without_one_name_is_not_answered() {
    let (program, backend) = start();
    let fields = |more: &[(&'static str, &'static [u8])]| [&h2::get("served.test", "/")[..], more].concat();
    for (name, fields) in [
        ("a Host that differs", fields(&[("host", b"other.test")])),
        ("a Host that is unserved", fields(&[("host", b"nope.test")])),
        ("two Hosts", fields(&[("host", b"served.test"), ("host", b"served.test")])),
        ("no :authority and two Hosts", {
            let mut fields = fields(&[("host", b"served.test"), ("host", b"other.test")]);
            fields.retain(|(name, _)| *name != ":authority");
            fields
        }),
    ] {
        let mut client = quiet_h2(&program);
        client.send([h2::headers(3, &fields, true), h2::ping(2)].concat());
        let frames: Vec<Frame> = std::iter::from_fn(|| client.frame()).collect();
        assert!(frames.iter().all(|frame| frame.kind != h2::HEADERS), "{name}: {frames:?}");
    }
    assert!(backend.requests().iter().all(|request| request.field("host") == "served.test"));
    assert_eq!(backend.requests().len(), 4);
}
