//! HTTP/2: over TLS by ALPN, and without TLS if enabled.

use std::thread;

use crate::support::{
    Backend, Client, End, Program, Start,
    backend::ok,
    client::exchange,
    h2::{self, Answer},
    tls::Tls,
};

fn start(flags: &[&str]) -> (Program, Backend) {
    let backend = Backend::answering("hello");
    (Start::new().route("a.test", &backend).flags(flags).run(), backend)
}

fn opening_get(host: &str) -> Vec<u8> {
    [h2::opening(), h2::headers(1, &h2::get(host, "/"), true)].concat()
}

#[test]
fn alpn_selects_the_protocol() {
    let (program, _backend) = start(&[]);
    for (offered, chosen) in
        [(&["h2", "http/1.1"][..], Some(&b"h2"[..])), (&["http/1.1"], Some(b"http/1.1")), (&[], None)]
    {
        let mut client = Tls::trusting(&program).alpn(offered).connect(program.https(), "a.test").unwrap();
        assert_eq!(client.stream.conn.alpn_protocol(), chosen);
        if chosen == Some(b"h2") {
            client.send(opening_get("a.test"));
            assert_eq!(client.answer(1), Answer::Status(200));
        } else {
            assert_eq!(client.get("a.test", "/").text(), "hello");
        }
    }
}

#[test]
fn an_http_1_0_client_is_served_over_tls() {
    let (program, backend) = start(&[]);
    let tls = Tls::trusting(&program).alpn(&["http/1.0"]);
    let mut client = tls.connect(program.https(), "a.test").unwrap();
    client.send("GET / HTTP/1.0\r\nHost: a.test:\r\n\r\n");
    assert_eq!(client.response().status, 200);
    assert_eq!(client.end().1, End::Fin);
    assert_eq!(backend.request().field("host"), "a.test");
}

#[test]
fn post_put_and_patch_without_a_body_have_length_0() {
    let (program, backend) = start(&[]);
    let mut two = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    two.send(h2::opening());
    let mut one = Client::connect(program.http());
    for (index, (method, length)) in
        [("POST", &["0"][..]), ("PUT", &["0"]), ("PATCH", &["0"]), ("GET", &[]), ("DELETE", &[])]
            .into_iter()
            .enumerate()
    {
        let stream = 2 * u32::try_from(index).unwrap() + 1;
        two.send(h2::headers(stream, &h2::request(method, "a.test", "/"), true));
        assert_eq!(two.answer(stream), Answer::Status(200));
        one.send(format!("{method} / HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        assert_eq!(one.response().status, 200);
        let of_method: Vec<_> = backend.requests().into_iter().filter(|request| request.method == method).collect();
        assert_eq!(of_method.len(), 2);
        for request in of_method {
            assert_eq!(
                (request.all("content-length"), request.all("transfer-encoding")),
                (length.to_vec(), Vec::new())
            );
        }
    }
}

#[test]
fn many_requests_share_a_connection() {
    let (program, backend) = start(&[]);
    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send(h2::opening());
    let streams: Vec<_> = (0..100).map(|number| 2 * number + 1).collect();
    let requests = streams.iter().flat_map(|stream| h2::headers(*stream, &h2::get("a.test", "/"), true));
    client.send(requests.collect::<Vec<_>>());
    let mut left = streams;
    while !left.is_empty() {
        let frame = client.frame().unwrap();
        assert!(!matches!(frame.kind, h2::RST_STREAM | h2::GOAWAY), "{frame:?}");
        left.retain(|stream| !(*stream == frame.stream && frame.ends_stream()));
    }
    assert_eq!(backend.requests().len(), 100);
}

#[test]
fn bodies_and_trailers_pass_both_ways() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            let body = String::from_utf8(request.body).unwrap();
            let (_, sum) = &request.trailers[0];
            connection.send(format!(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\nx-sum: {sum}\r\n\r\n",
                body.len()
            ));
        }
    });
    let program = Start::new().route("a.test", &backend).run();
    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    let fields = [&h2::request("POST", "a.test", "/")[..], &[("te", b"trailers"), ("trailer", b"x-sum")]].concat();
    client.send([h2::opening(), h2::headers(1, &fields, false)].concat());
    client.send([h2::data(1, b"one ", false), h2::data(1, b"two", false)].concat());
    client.send(h2::headers(1, &[("x-sum", b"a-sum")], true));
    let frames = client.frames_until(|frame| frame.stream == 1 && frame.ends_stream());
    let of = |kind| frames.iter().filter(move |frame| frame.stream == 1 && frame.kind == kind);
    let body: Vec<u8> = of(h2::DATA).flat_map(|frame| frame.payload.clone()).collect();
    assert_eq!(body, b"one two");
    assert_eq!(of(h2::HEADERS).count(), 2);
}

#[test]
fn resetting_a_stream_cancels_only_its_request() {
    let backend = Backend::start(|connection| {
        while let Some(head) = connection.head() {
            // Never responds to /held, which ends only with the connection.
            if head.target == "/held" { connection.drain() } else { connection.send(ok("ok")) }
        }
    });
    let program = Start::new().workers(1).route("a.test", &backend).run();
    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send([h2::opening(), h2::headers(1, &h2::get("a.test", "/held"), true)].concat());
    backend.wait_for_bytes(b"\r\n\r\n");
    client.send(h2::frame(h2::RST_STREAM, 0, 1, &8_u32.to_be_bytes()));
    backend.wait_for_end();
    client.send(h2::headers(3, &h2::get("a.test", "/"), true));
    assert_eq!(client.answer(3), Answer::Status(200));
}

#[test]
fn http2_without_tls_is_off_by_default() {
    let (program, backend) = start(&["--silence-deadline", "1h"]);
    assert_eq!(exchange(program.http(), &opening_get("a.test")), (Vec::new(), End::Fin));
    assert!(backend.connections().is_empty());
    assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 200);
}

#[test]
fn http2_without_tls_is_silent_until_a_served_name() {
    let (program, _backend) = start(&["--http-h2c", "silent", "--silence-deadline", "1h"]);
    let mut client = Client::connect(program.http());
    client.send(opening_get("a.test"));
    assert_eq!(client.answer(1), Answer::Status(200));
    client.send(h2::headers(3, &h2::get("nope.test", "/"), true));
    client.frames_until(|frame| frame.stream == 1 && frame.ends_stream());
    assert_eq!(client.answer(3), Answer::GoAway);

    for host in ["nope.test", "127.0.0.1", "user@a.test"] {
        assert_eq!(exchange(program.http(), &opening_get(host)), (Vec::new(), End::Fin), "{host}");
    }
    let flood = [h2::opening(), h2::ping(1).repeat(10_000)].concat();
    assert_eq!(exchange(program.http(), &flood), (Vec::new(), End::Fin), "endless PINGs");
    let bad = [h2::opening(), h2::data(1, b"x", true)].concat();
    assert_eq!(exchange(program.http(), &bad), (Vec::new(), End::Fin), "DATA before HEADERS");
    assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 200, "HTTP/1.1 on the same port");
}

#[test]
fn without_tls_a_client_that_stalls_gets_nothing_at_the_deadline() {
    let (program, _backend) = start(&["--http-h2c", "silent", "--silence-deadline", "1s"]);
    let cases = [
        ("half a preface", h2::PREFACE[..10].to_vec()),
        ("a preface", h2::PREFACE.to_vec()),
        ("a preface and SETTINGS", h2::opening()),
        ("a request without pseudo-headers", [h2::opening(), h2::headers(1, &[("x", b"y")], true)].concat()),
    ];
    let address = program.http();
    let ends = cases.map(|(name, bytes)| (name, thread::spawn(move || exchange(address, &bytes))));
    for (name, end) in ends {
        assert_eq!(end.join().unwrap(), (Vec::new(), End::Fin), "{name}");
    }
}

#[test]
fn open_http2_without_tls_sends_settings_at_once() {
    let (program, _backend) = start(&["--http-h2c", "open"]);
    let mut client = Client::connect(program.http());
    client.send(h2::PREFACE);
    assert_eq!(client.frame().unwrap().kind, h2::SETTINGS);
    client.send(
        [h2::frame(h2::SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]), h2::headers(1, &h2::get("a.test", "/"), true)].concat(),
    );
    assert_eq!(client.answer(1), Answer::Status(200));
    // Only an HTTP/2 preface opens the gate.
    let get = b"GET / HTTP/1.1\r\nHost: nope.test\r\n\r\n";
    assert_eq!(exchange(program.http(), get), (Vec::new(), End::Fin));
}
