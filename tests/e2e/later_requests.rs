//! Later requests on a connection: each must name a served host, and over TLS the host of the SNI.

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

/// An HTTP/2 connection after one response, with no request in flight.
fn idle_http2(program: &Program) -> Client<TlsStream> {
    let mut client = Tls::trusting(program).alpn(&["h2"]).connect(program.https(), "served.test").unwrap();
    client.send([h2::opening(), h2::headers(1, &h2::get("served.test", "/"), true)].concat());
    assert_eq!(client.answer(1), Answer::Status(200));
    client.frames_until(|frame| frame.stream == 1 && frame.ends_stream());
    client.send([h2::frame(h2::SETTINGS, 1, 0, &[]), h2::ping(1)].concat());
    client.frames_until(|frame| frame.kind == h2::PING && frame.is_ack());
    client
}

#[test]
fn an_unserved_host_after_a_served_one_gets_silence() {
    let (program, backend) = start();
    for host in ["nope.test", "127.0.0.1"] {
        let mut client = Client::connect(program.http());
        assert_eq!(client.get("served.test", "/").status, 200);
        assert_eq!(client.get("other.test", "/").status, 200);
        client.send(get(host, "/"));
        assert_eq!(client.end(), (Vec::new(), End::Fin), "{host}");
    }
    assert_eq!(backend.requests().len(), 4);
}

/// Requests that must get a 400 (RFC 9112, 3.2).
const MALFORMED: [&str; 5] = [
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: served.test\r\nHost: served.test\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: served.test, other.test\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: user@served.test\r\n\r\n",
];

#[test]
fn a_malformed_host_after_a_served_one_gets_400() {
    let (program, backend) = start();
    for request in MALFORMED {
        let mut client = Client::connect(program.http());
        assert_eq!(client.get("served.test", "/").status, 200);
        client.send(request);
        let response = client.response();
        assert_eq!((response.status, response.field("connection")), (400, Some("close")), "{request}");
        assert_eq!(client.end(), (Vec::new(), End::Fin), "{request}");
    }
    assert_eq!(backend.requests().len(), MALFORMED.len());
}

#[test]
fn a_malformed_host_over_tls_gets_400() {
    let (program, backend) = start();
    for request in MALFORMED {
        let mut client = Tls::trusting(&program).connect(program.https(), "served.test").unwrap();
        client.send(request);
        let response = client.response();
        assert_eq!((response.status, response.field("connection")), (400, Some("close")), "{request}");
        assert_eq!(client.end(), (Vec::new(), End::Fin), "{request}");
    }
    assert!(backend.requests().is_empty());
}

#[test]
fn an_unserved_host_with_a_body_gets_silence() {
    let (program, _backend) = start();
    let mut client = Client::connect(program.http());
    assert_eq!(client.get("served.test", "/").status, 200);
    client.send("POST / HTTP/1.1\r\nHost: nope.test\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n");
    client.send([b'x'; 100_000]);
    assert_eq!(client.end(), (Vec::new(), End::Fin));
}

#[test]
fn pipelined_requests_after_an_unserved_host_are_dropped() {
    let (program, backend) = start();
    let mut client = Client::connect(program.http());
    client.send([get("served.test", "/1"), get("nope.test", "/2"), get("served.test", "/3")].concat());
    let response = client.response();
    assert_eq!((response.status, response.text()), (200, "hello"));
    assert_eq!(client.end(), (Vec::new(), End::Fin));
    assert_eq!(backend.request().target, "/1");
}

#[test]
fn another_served_host_over_tls_gets_421() {
    let (program, backend) = start();
    let mut client = Tls::trusting(&program).connect(program.https(), "served.test").unwrap();
    for (host, status) in [("served.test", 200), ("other.test", 421), ("served.test", 200)] {
        assert_eq!(client.get(host, "/").status, status, "{host}");
    }
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn a_first_request_for_a_host_other_than_the_sni_gets_421() {
    let (program, backend) = start();
    assert_eq!(Tls::trusting(&program).get(program.https(), "served.test", "other.test").status, 421);
    assert!(backend.requests().is_empty());
}

#[test]
fn another_served_host_over_http2_gets_421() {
    let (program, backend) = start();
    let mut client = idle_http2(&program);
    for (stream, host, status) in [(3, "other.test", 421), (5, "served.test", 200), (7, "other.test", 421)] {
        client.send(h2::headers(stream, &h2::get(host, "/"), true));
        assert_eq!(client.answer(stream), Answer::Status(status), "{host}");
    }
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn a_later_request_for_an_unserved_host_over_tls_gets_silence() {
    let (program, _backend) = start();
    for host in ["nope.test", "127.0.0.1"] {
        let mut client = Tls::trusting(&program).connect(program.https(), "served.test").unwrap();
        assert_eq!(client.get("served.test", "/").status, 200);
        client.send(get(host, "/"));
        assert_eq!(raw_rest(&mut client).unwrap(), [0_u8; 0], "{host}");
    }
}

#[test]
fn a_first_request_for_an_unserved_host_over_tls_gets_silence() {
    let (program, _backend) = start();
    let mut client = Tls::trusting(&program).connect(program.https(), "served.test").unwrap();
    client.send(get("nope.test", "/"));
    assert_eq!(client.end(), (Vec::new(), End::FinWithoutAlert));
}

#[test]
fn an_unserved_host_over_http2_gets_goaway() {
    let (program, _backend) = start();
    for host in ["nope.test", "127.0.0.1"] {
        let mut client = idle_http2(&program);
        client.send(h2::headers(3, &h2::get(host, "/"), true));
        let frames: Vec<Frame> = std::iter::from_fn(|| client.frame()).collect();
        assert!(frames.iter().any(|frame| frame.kind == h2::GOAWAY), "{host}: {frames:?}");
        assert!(frames.iter().all(|frame| frame.stream == 0), "{host}: {frames:?}");
    }
}

#[test]
fn a_malformed_host_over_http2_gets_400() {
    let (program, backend) = start();
    let fields = |authority: &[&'static str], hosts: &[&'static str]| {
        let mut fields = h2::get("", "/");
        fields.retain(|(name, _)| *name != ":authority");
        fields.extend(authority.iter().map(|host| (":authority", host.as_bytes())));
        fields.extend(hosts.iter().map(|host| ("host", host.as_bytes())));
        fields
    };
    for (name, fields) in [
        ("a Host that differs", fields(&["served.test"], &["other.test"])),
        ("a Host that is unserved", fields(&["served.test"], &["nope.test"])),
        ("two Hosts", fields(&["served.test"], &["served.test", "served.test"])),
        ("no :authority and two Hosts", fields(&[], &["served.test", "other.test"])),
        ("no host", fields(&[], &[])),
        ("userinfo", fields(&["user@served.test"], &[])),
    ] {
        let mut client = idle_http2(&program);
        client.send([h2::headers(3, &fields, true), h2::headers(5, &h2::get("served.test", "/"), true)].concat());
        assert_eq!(client.answer(3), Answer::Status(400), "{name}");
        assert_eq!(client.answer(5), Answer::Status(200), "{name}");
    }
    assert!(backend.requests().iter().all(|request| request.field("host") == "served.test"));
    assert_eq!(backend.requests().len(), 12);
}
