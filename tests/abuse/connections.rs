//! Hop-by-hop headers, upgrades, expectations and pipelined requests.

use crate::{
    corpus::{Case, Expected, case, post, refuse, run, serve, start},
    support::{Client, client::get},
};

fn with(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n\r\n")
}

#[test]
fn hop_by_hop_headers_do_no_harm() {
    let mut cases: Vec<Case> = [
        "close",
        "keep-alive",
        "close, keep-alive",
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "Forwarded",
        "X-Request-Id",
        "Connection",
        "connection, host, x-forwarded-for",
        "TE",
        "Upgrade",
        ",",
        ", ,",
        "",
        "\"close\"",
        "a b",
        "close;x",
        "(",
        "\u{e9}",
        "Cookie",
        "Authorization",
    ]
    .iter()
    .flat_map(|named| {
        let line = format!("Connection: {named}");
        [
            serve(format!("{named:?} in a GET"), with(&line)),
            serve(format!("{named:?} and a length"), post(&format!("{line}\r\nContent-Length: 3"), "abc")),
            serve(
                format!("{named:?} and a coding"),
                post(&format!("{line}\r\nTransfer-Encoding: chunked"), "3\r\nabc\r\n0\r\n\r\n"),
            ),
            serve(format!("{named:?} in HTTP/1.0"), format!("GET / HTTP/1.0\r\nHost: a.test\r\n{line}\r\n\r\n")),
        ]
    })
    .collect();
    for fields in [
        "Keep-Alive: timeout=5",
        "Proxy-Connection: keep-alive",
        "TE: trailers",
        "TE: chunked",
        "Trailer: x",
        "Proxy-Authorization: x",
    ] {
        cases.push(serve(fields, with(fields)));
    }
    run(&cases);
}

#[test]
fn upgrades_to_another_http_are_ignored() {
    let protocols = [
        "h2c",
        "H2C",
        "h2",
        "h2c, websocket",
        "websocket, h2c",
        "websocket,h2c",
        "h2c/1",
        "HTTP/2.0",
        "http/1.1",
        "TLS/1.0",
        "tls",
        "h3",
        ",",
        ", h2c",
        "h2c,",
        " h2c",
        "",
    ];
    let mut cases = Vec::new();
    for protocol in protocols {
        for connection in ["Upgrade, HTTP2-Settings", "upgrade", "close, Upgrade", "keep-alive"] {
            let fields =
                format!("Connection: {connection}\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA");
            cases.push(serve(format!("{protocol:?} by {connection:?}"), with(&fields)));
        }
    }
    for fields in [
        "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c",
        "Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket",
        "Upgrade: websocket",
        "Connection: close\r\nUpgrade: websocket",
    ] {
        cases.push(serve(fields, with(fields)));
    }
    cases.push(serve("with a body", post("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3", "abc")));
    run(&cases);
}

#[test]
fn expectations_do_no_harm() {
    let mut cases = Vec::new();
    for expectation in ["100-continue", "100-Continue", "100-continue, 100-continue"] {
        let fields = format!("Expect: {expectation}");
        cases.push(serve(
            format!("{expectation} with a length"),
            post(&format!("{fields}\r\nContent-Length: 3"), "abc"),
        ));
        cases.push(serve(
            format!("{expectation} with a coding"),
            post(&format!("{fields}\r\nTransfer-Encoding: chunked"), "3\r\nabc\r\n0\r\n\r\n"),
        ));
        cases.push(serve(format!("{expectation} without a body"), with(&fields)));
        cases.push(refuse(
            format!("{expectation} with two lengths"),
            post(&format!("{fields}\r\nContent-Length: 3\r\nContent-Length: 4"), "abc"),
        ));
    }
    // RFC 9110, 10.1.1: another expectation may be answered with 417, or ignored.
    for expectation in ["200-ok", "", "100-continuex", "x=y"] {
        cases.push(case(
            format!("{expectation:?}"),
            with(&format!("Expect: {expectation}\r\nConnection: close")),
            Expected::Either,
        ));
    }
    run(&cases);
}

#[test]
fn pipelined_requests_are_served_up_to_an_error() {
    let get = |path: &str| get("a.test", path);
    let mut cases = vec![
        case("three", get("/1") + &get("/2") + &get("/3"), Expected::Served(3)),
        case("a hundred", get("/").repeat(100), Expected::Served(100)),
        case("after a length", post("Content-Length: 3", "abc") + &get("/2"), Expected::Served(2)),
        case(
            "after chunks",
            post("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n") + &get("/2"),
            Expected::Served(2),
        ),
        // Where trailers end is ambiguous, so the connection is closed there.
        case(
            "after trailers",
            post("Transfer-Encoding: chunked", "0\r\nx: y\r\n\r\n") + &get("/2"),
            Expected::Served(1),
        ),
        case("after empty lines", get("/1") + "\r\n" + &get("/2") + "\r\n\r\n", Expected::Served(2)),
        case("a POST without a length, then more", post("X: y", "") + &get("/2"), Expected::Served(2)),
        serve("after a close", with("Connection: close") + &get("/smuggled")),
        serve("after HTTP/1.0", "GET / HTTP/1.0\r\nHost: a.test\r\n\r\n".to_owned() + &get("/smuggled")),
    ];
    // After an error, nothing is read as a request. A request before it keeps its response.
    for (name, bad) in [
        ("two lengths", post("Content-Length: 3\r\nContent-Length: 4", "abc")),
        ("a bad coding", post("Transfer-Encoding: xchunked", "0\r\n\r\n")),
        ("a bad line", "BAD\r\n\r\n".to_owned()),
        ("another name", "GET /smuggled HTTP/1.1\r\nHost: nope.test\r\n\r\n".to_owned()),
    ] {
        cases.push(refuse(format!("after {name}"), bad));
    }
    run(&cases);
}

#[test]
fn responses_stay_in_order() {
    let (program, _backend) = start();
    let mut client = Client::connect(program.http());
    let paths: Vec<_> = (0..200).map(|number| format!("/{number}")).collect();
    for path in &paths {
        client.send(get("a.test", path));
    }
    for path in &paths {
        assert_eq!(client.response().text(), path);
    }
}
