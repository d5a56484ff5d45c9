//! `Expect: 100-continue` (RFC 9110, 10.1.1): sent once a backend has the head, and not if the response is already known.

use crate::support::{
    Backend, Client, End, Start,
    backend::{Refusing, ok},
    h2::{self, Answer},
    tls::Tls,
};

fn post(host: &str, fields: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\n{fields}\r\n\r\n")
}

#[test]
fn the_expectation_and_the_body_reach_the_backend() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            // The 100 from the backend is for the proxy, not for the client.
            connection.send(format!("HTTP/1.1 100 Continue\r\n\r\n{}", ok("ok")));
        }
    });
    let program = Start::new().workers(1).route("a.test", &backend).run();
    let mut client = Client::connect(program.http());
    for (fields, body) in [("Content-Length: 3", "abc"), ("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n")] {
        client.send(post("a.test", fields));
        assert_eq!(client.head().status, 100);
        client.send(body);
        let response = client.response();
        assert_eq!((response.status, response.text()), (200, "ok"));
    }
    let requests = backend.requests();
    assert!(requests.iter().all(|request| request.field("expect") == "100-continue" && request.body == b"abc"));
    assert_eq!((requests.len(), backend.connections().len()), (2, 1));
}

#[test]
fn a_backend_can_refuse_the_body() {
    let backend = Backend::start(|connection| {
        while connection.head().is_some() {
            connection.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno");
        }
    });
    let program = Start::new().workers(1).route("a.test", &backend).run();
    for sends_body in [true, false] {
        let mut client = Client::connect(program.http());
        client.send(post("a.test", "Content-Length: 3"));
        // The 100 comes from the proxy, as RFC 9110, 10.1.1 allows.
        assert_eq!(client.head().status, 100);
        let response = client.response();
        assert_eq!((response.status, response.text()), (417, "no"));
        if sends_body {
            // The body, or a part of it, is not read as a request.
            client.send("abcGET /next HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
            let (got, _) = client.end();
            assert!(got.is_empty() || got.starts_with(b"HTTP/1.1 417 "), "{}", got.escape_ascii());
        }
    }
}

#[test]
fn no_100_if_the_response_is_already_known() {
    let refusing = Refusing::new();
    let backend = Backend::answering("ok");
    let program = Start::new()
        .flags(&["--route", &format!("down.test={}", refusing.address()), "--max-body", "10"])
        .route("a.test/only", &backend)
        .route("small.test", &backend)
        .run();
    for (host, length, status) in [("a.test", 5, 404), ("down.test", 5, 502), ("small.test", 11, 413)] {
        let mut client = Client::connect(program.http());
        client.send(post(host, &format!("Content-Length: {length}")));
        assert_eq!(client.head().status, status, "{host}");
    }
    // Clients without a body, and HTTP/1.0 clients, do not wait (RFC 9110, 10.1.1).
    for (request, body) in [
        ("GET / HTTP/1.1\r\nHost: small.test\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n", ""),
        ("POST / HTTP/1.0\r\nHost: small.test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n", "abc"),
    ] {
        let mut client = Client::connect(program.http());
        client.send(request);
        client.send(body);
        assert_eq!(client.response().status, 200, "{request}");
        assert_eq!(client.end(), (Vec::new(), End::Fin), "{request}");
    }
}

#[test]
fn over_http2_a_client_that_does_not_wait_is_served() {
    let backend = Backend::answering("ok");
    let program = Start::new().route("a.test", &backend).run();
    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    let fields = [&h2::request("POST", "a.test", "/")[..], &[("expect", b"100-continue")]].concat();
    client.send([h2::opening(), h2::headers(1, &fields, false), h2::data(1, b"abc", true)].concat());
    assert_eq!(client.answer(1), Answer::Status(200));
    assert_eq!(backend.request().body, b"abc");
}
