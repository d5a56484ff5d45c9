//! Trailers: headers that affect framing, routing or identity are not allowed there (RFC 9110, 6.5.1).

use crate::{
    corpus::{Case, run, serve, start},
    http2_corpus,
    support::{Backend, Client, End, Start, backend::ok, h2, tls::Tls},
};

const FORBIDDEN: [&str; 20] = [
    "Content-Length",
    "Content_Length",
    "Transfer-Encoding",
    "Transfer_Encoding",
    "Host",
    "Trailer",
    "TE",
    "Connection",
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded_Proto",
    "X_Forwarded_For",
    "X-Real-IP",
    "X-Request-ID",
    "X-Pmesh-Node",
    "X_Pmesh-Through",
    "Authorization",
    "Cookie",
    "Content-Type",
];

#[test]
fn forbidden_request_trailers_are_dropped() {
    let (program, backend) = start();
    let value = |name: &str| if name == "Transfer-Encoding" { "chunked" } else { "9" };
    for announced in [true, false] {
        for name in FORBIDDEN {
            let announcement = if announced { format!("Trailer: X-Sum, {name}\r\n") } else { String::new() };
            let mut client = Client::connect(program.http());
            let head = format!("POST / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\n{announcement}");
            let body = format!("3\r\nabc\r\n0\r\nX-Sum: 1\r\n{name}: {}\r\n\r\n", value(name));
            client.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n{body}"));
            assert_eq!(client.response().status, 200, "{name}");
            assert_eq!(client.end(), (Vec::new(), End::Fin), "{name}");
        }
    }
    let tls = Tls::trusting(&program).alpn(&["h2"]);
    for name in FORBIDDEN.map(str::to_ascii_lowercase) {
        let mut client = tls.connect(program.https(), "a.test").unwrap();
        let announcement = format!("x-sum, {name}");
        let fields = [&h2::request("POST", "a.test", "/")[..], &[("trailer", announcement.as_bytes())]].concat();
        let trailers = [("x-sum", &b"1"[..]), (&*name, b"9")];
        let frames = [h2::headers(1, &fields, false), h2::data(1, b"abc", false), h2::headers(1, &trailers, true)];
        client.send([h2::opening(), frames.concat()].concat());
        let answer = client.answer(1);
        // RFC 9113, 8.2.2: connection headers make the request malformed.
        let malformed = ["connection", "transfer-encoding", "te"].contains(&&*name);
        assert!(answer == h2::Answer::Status(200) || malformed, "{name}: {answer:?}");
    }
    drop(program);
    backend.wait_for_end();
    let requests = backend.requests();
    let trailers: Vec<_> = requests.iter().flat_map(|request| &request.trailers).collect();
    assert!(!trailers.is_empty());
    assert!(trailers.iter().all(|(name, _)| name == "x-sum"), "{trailers:?}");
}

#[test]
fn forbidden_response_trailers_are_dropped() {
    let fields = FORBIDDEN.map(|name| format!("{name}: 9\r\n")).concat();
    let backend = Backend::start(move |connection| {
        while connection.request().is_some() {
            let names = FORBIDDEN.join(", ");
            let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, {names}\r\n\r\n");
            connection.send(format!("{head}3\r\nabc\r\n0\r\nX-Sum: 1\r\n{fields}\r\n"));
        }
    });
    let program = Start::new().route("a.test", &backend).run();
    let mut client = Client::connect(program.http());
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: te\r\n\r\n");
    let response = client.response();
    assert_eq!(response.text(), "abc");
    assert_eq!(response.trailers, [("x-sum".to_owned(), "1".to_owned())]);

    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send([h2::opening(), h2::headers(1, &h2::get("a.test", "/"), true)].concat());
    let frames = client.frames_until(h2::Frame::ends_stream);
    let last = frames.last().unwrap();
    // Only one header, as plain text or in Huffman coding: the values of the others would be longer.
    assert!(last.kind == h2::HEADERS && last.payload.len() < 16, "{last:?}");
}

/// hyper reads trailers up to an empty line that ends in CRLF, but keeps only those before the first empty line that
/// ends in a bare LF.
const SECTIONS: [&str; 5] = ["\n", "A: b\n\n", "A: b\n\r\n", "A: b\r\n\n", "A: b\r\n\r\n"];
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a.test\r\n\r\n";

fn upload(path: &str, host: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n")
}

#[test]
fn no_request_after_trailers_is_served() {
    let backend = Backend::answering("ok");
    let program = Start::new().route("a.test/served", &backend).route("b.test", &backend).run();
    for section in SECTIONS {
        for data in ["", "3\r\nabc\r\n"] {
            let behind = format!("{data}0\r\n{section}{HIDDEN}{HIDDEN}");
            // A response from the backend, and one that pmesh sends at once.
            for (path, status) in [("/served", 200), ("/nothing", 404)] {
                let case = format!("{path} {behind:?}");
                let mut client = Client::connect(program.http());
                client.send(upload(path, "a.test") + &behind);
                assert_eq!(client.response().status, status, "{case}");
                assert_eq!(client.end(), (Vec::new(), End::Fin), "{case}");
            }
            let mut client = Tls::trusting(&program).connect(program.https(), "a.test").unwrap();
            client.send(upload("/", "b.test") + &behind);
            assert_eq!(client.response().status, 421, "{behind:?}");
            assert_eq!(client.end().0, b"", "{behind:?}");
        }
    }
    drop(program);
    backend.wait_for_end();
    assert!(backend.requests().iter().all(|request| request.target == "/served"));
}

#[test]
fn no_request_after_trailers_is_served_after_an_early_response() {
    for section in SECTIONS {
        let backend = Backend::start(|connection| {
            connection.head();
            connection.send(ok("early"));
            connection.drain();
        });
        let program = Start::new().route("a.test", &backend).run();
        let mut client = Client::connect(program.http());
        client.send(upload("/", "a.test"));
        assert_eq!(client.response().text(), "early");
        client.send(format!("3\r\nabc\r\n0\r\n{section}{HIDDEN}{HIDDEN}"));
        assert_eq!(client.end().0, b"", "{section:?}");
    }
}

#[test]
fn trailers_named_in_connection_are_dropped() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            let head =
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, X-Hop\r\nConnection: X-Hop\r\n\r\n";
            connection.send(format!("{head}3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-Hop: 1\r\n\r\n"));
        }
    });
    let program = Start::new().route("a.test", &backend).run();
    let mut client = Client::connect(program.http());
    let head = "POST / HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nTrailer: X-Sum, X-Hop\r\nConnection: te, x-hop\r\n";
    client.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nX-Hop: 1\r\n\r\n"));
    assert_eq!(client.response().trailers, [("x-sum".to_owned(), "1".to_owned())]);
    assert_eq!(backend.request().trailers, [("x-sum".to_owned(), "1".to_owned())]);
}

#[test]
fn malformed_trailers_are_rejected() {
    let chunked = |trailers: &str| http2_corpus::http1(trailers);
    let mut cases: Vec<Case> = [
        "x",
        "x : y\r\n",
        " x: y\r\n",
        "x: y\r\n z\r\n",
        ": y\r\n",
        "x\0: y\r\n",
        "x: a\rb\r\n",
        "x y: z\r\n",
        "x: \u{0}\r\n",
        "(x): y\r\n",
        "GET /smuggled HTTP/1.1\r\n",
    ]
    .iter()
    .map(|trailers| crate::corpus::refuse(format!("{trailers:?}"), chunked(trailers)))
    .collect();
    cases.push(serve("none", chunked("")));
    cases.push(serve("many", chunked(&(0..50).map(|number| format!("x-{number}: y\r\n")).collect::<String>())));
    cases.push(serve("one twice", chunked("x: y\r\nx: z\r\n")));
    cases.push(crate::corpus::refuse("endless", chunked(&"x: y\r\n".repeat(50_000))));
    run(&cases);
}
