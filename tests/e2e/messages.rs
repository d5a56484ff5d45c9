//! Bodies and trailers of requests and responses, and messages without a body.

use std::{net::TcpStream, sync::mpsc, thread};

use crate::support::{
    Backend, Client, End, Program, Start,
    backend::{Refusing, ok},
    client::get,
};

fn start(backend: &Backend) -> Program {
    Start::new().route("a.test", backend).run()
}

/// A backend that responds to `/NAME` with the response of that name.
fn table(responses: &'static [(&'static str, &'static str)]) -> Backend {
    Backend::start(|connection| {
        while let Some(request) = connection.request() {
            let found = responses.iter().find(|(name, _)| request.target[1..] == **name);
            connection.send(found.map_or("HTTP/1.1 500 no such case\r\n\r\n", |(_, response)| response));
            if found.is_some_and(|(_, response)| response.contains("close")) {
                return;
            }
        }
    })
}

#[test]
fn request_bodies_are_streamed() {
    let (seen, pieces) = mpsc::channel();
    let seen = std::sync::Mutex::new(seen);
    let backend = Backend::start(move |connection| {
        connection.head().unwrap();
        while let Some(piece) = connection.take(5) {
            seen.lock().unwrap().send(piece.clone()).unwrap();
            if piece == b"end.." {
                connection.send(ok("done"));
            }
        }
    });
    let program = start(&backend);
    let mut client = Client::connect(program.http());
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 15\r\n\r\n");
    for piece in ["one..", "two..", "end.."] {
        client.send(piece);
        // It arrives before the next one is sent.
        assert_eq!(pieces.recv().unwrap(), piece.as_bytes());
    }
    assert_eq!(client.response().text(), "done");
}

#[test]
fn response_bodies_are_streamed() {
    let (go, next) = mpsc::channel::<&str>();
    let next = std::sync::Mutex::new(next);
    let backend = Backend::start(move |connection| {
        connection.request().unwrap();
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while let Ok(piece) = next.lock().unwrap().recv() {
            connection.send(format!("{:x}\r\n{piece}\r\n", piece.len()));
        }
    });
    let program = start(&backend);
    let mut client = Client::connect(program.http());
    client.send(get("a.test", "/"));
    assert_eq!(client.head().field("transfer-encoding"), Some("chunked"));
    for piece in ["one", "two", ""] {
        go.send(piece).unwrap();
        assert_eq!(client.line(), format!("{:x}", piece.len()));
        assert_eq!(client.line(), piece);
    }
}

#[test]
fn large_bodies_are_forwarded_both_ways() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", request.body.len()));
            connection.send(request.body);
        }
    });
    let program = start(&backend);
    let body: Vec<u8> = (0..8_000_000_u32).map(|number| number.to_le_bytes()[1]).collect();
    let mut client = Client::connect(program.http());
    client.send(format!("PUT / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n", body.len()));
    client.send(&body);
    assert!(client.response().body == body);
}

#[test]
fn response_trailers_are_forwarded() {
    let backend = table(&[(
        "trailers",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n",
    )]);
    let program = start(&backend);
    let mut client = Client::connect(program.http());
    client.send("GET /trailers HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\nConnection: te\r\n\r\n");
    let response = client.response();
    assert_eq!((response.text(), &response.trailers[..]), ("abc", &[("x-sum".to_owned(), "1".to_owned())][..]));
    assert_eq!(backend.request().field("te"), "trailers");
}

#[test]
fn request_trailers_are_forwarded() {
    let backend = Backend::answering("");
    let program = start(&backend);
    let mut client = Client::connect(program.http());
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n");
    client.send("3\r\nabc\r\n0\r\nx-sum: 1\r\n\r\n");
    assert_eq!(client.response().status, 200);
    let request = backend.request();
    assert_eq!((&request.body[..], &request.trailers[..]), (&b"abc"[..], &[("x-sum".into(), "1".into())][..]));
}

#[test]
fn responses_without_a_body_have_none() {
    let backend = table(&[
        ("head", "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        ("head-chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("no-content", "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n"),
        ("not-modified", "HTTP/1.1 304 Not Modified\r\nETag: \"1\"\r\nContent-Length: 1000\r\n\r\n"),
        ("empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ]);
    let program = start(&backend);
    let mut client = Client::connect(program.http());
    // On one connection, where an unexpected body would be read as the next response.
    for (method, path, status) in [
        ("HEAD", "/head", 200),
        ("HEAD", "/head-chunked", 200),
        ("GET", "/no-content", 204),
        ("GET", "/not-modified", 304),
        ("GET", "/empty", 200),
    ] {
        client.send(format!("{method} {path} HTTP/1.1\r\nHost: a.test\r\n\r\n"));
        let head = client.head();
        assert_eq!(head.status, status, "{path}");
        if path == "/head" {
            assert_eq!(head.field("content-length"), Some("1000"));
        }
    }
}

#[test]
fn a_body_without_a_length_is_sent_in_chunks() {
    let backend = table(&[("until-close", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")]);
    let program = start(&backend);
    let mut client = Client::connect(program.http());
    for _ in 0..2 {
        let response = client.get("a.test", "/until-close");
        assert_eq!((response.text(), response.field("transfer-encoding")), ("all of it", Some("chunked")));
    }
    let mut old = Client::connect(program.http());
    old.send("GET /until-close HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n");
    let response = old.response();
    assert_eq!((response.text(), response.field("transfer-encoding")), ("all of it", None));
    assert_eq!(response.field("connection"), None);
}

#[test]
fn backend_connections_are_reused() {
    let backend = Backend::answering("ok");
    let program = Start::new().workers(1).route("a.test", &backend).run();
    for _ in 0..3 {
        let mut client = Client::connect(program.http());
        for _ in 0..3 {
            assert_eq!(client.get("a.test", "/").status, 200);
        }
    }
    assert_eq!((backend.requests().len(), backend.connections().len()), (9, 1));
}

#[test]
fn a_closed_backend_connection_is_replaced() {
    let backend = Backend::start(|connection| {
        if connection.request().is_some() {
            connection.send(ok("once"));
        }
    });
    let program = start(&backend);
    let mut client = Client::connect(program.http());
    for _ in 0..20 {
        assert_eq!(client.get("a.test", "/").text(), "once");
        // It is closed before the next request.
        backend.wait_for_end();
    }
}

#[test]
fn the_client_decides_about_keep_alive() {
    let backend = Backend::answering("ok");
    let program = start(&backend);
    for (request, stays) in [
        ("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n", false),
        ("GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n", true),
    ] {
        let mut client = Client::connect(program.http());
        client.send(request);
        assert_eq!(client.response().status, 200, "{request}");
        if stays {
            assert_eq!(client.get("a.test", "/").status, 200, "{request}");
        } else {
            assert_eq!(client.end(), (Vec::new(), End::Fin), "{request}");
        }
    }
}

#[test]
fn a_client_that_waits_for_100_gets_it() {
    let backend = Backend::answering("ok");
    let program = start(&backend);
    let mut client = Client::connect(program.http());
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    assert_eq!(client.head().status, 100);
    client.send("abc");
    assert_eq!(client.response().status, 200);
    assert_eq!(backend.request().body, b"abc");
}

#[test]
fn interim_responses_of_a_backend_are_skipped() {
    let early = "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let backend = Backend::start(move |connection| {
        while connection.request().is_some() {
            connection.send(early);
        }
    });
    let program = start(&backend);
    let mut client = Client::connect(program.http());
    for _ in 0..2 {
        client.send(get("a.test", "/"));
        let response = loop {
            let response = client.response();
            if response.status >= 200 {
                break response;
            }
        };
        assert_eq!((response.status, response.text()), (200, "ok"));
    }
}

/// The bytes that a client gets for `path`, until the connection closes.
fn outcome(program: &Program, path: &str) -> (String, End) {
    let mut client: Client<TcpStream> = Client::connect(program.http());
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"));
    let (got, end) = client.end();
    (String::from_utf8(got).unwrap(), end)
}

#[test]
fn a_broken_response_never_looks_complete() {
    const CASES: &[(&str, &str, bool)] = &[
        // Name, what the backend sends before it closes the connection, and whether the head is valid.
        ("nothing", "", false),
        ("half-a-head", "HTTP/1.1 200 OK\r\nContent-", false),
        ("garbage", "garbage\r\n\r\n", false),
        ("another-protocol", "SSH-2.0-OpenSSH_9.2\r\n", false),
        ("bad-version", "HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n", false),
        ("bad-status", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", false),
        ("two-lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", false),
        ("bad-length", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nab", false),
        ("nul", "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 0\r\n\r\n", false),
        ("short", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", true),
        ("half-a-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", true),
        ("no-last-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", true),
        ("bad-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n", true),
    ];
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            match CASES.iter().find(|(name, ..)| request.target[1..] == **name) {
                Some((_, response, _)) => return connection.send(response),
                None => connection.send(ok("whole")),
            }
        }
    });
    let program = start(&backend);
    for (name, _, valid_head) in CASES {
        let (got, _) = outcome(&program, &format!("/{name}"));
        if *valid_head {
            let whole = got.ends_with("0\r\n\r\n") || got.contains("content-length: 3\r\n");
            let started = got.is_empty() || got.starts_with("HTTP/1.1 200 ");
            assert!(started && !whole, "{name}: {got:?}");
        } else {
            assert!(got.starts_with("HTTP/1.1 502 "), "{name}: {got:?}");
        }
        let (got, _) = outcome(&program, "/fine");
        assert!(got.starts_with("HTTP/1.1 200 ") && got.ends_with("whole"), "after {name}: {got:?}");
    }
}

#[test]
fn an_unsolicited_response_reaches_no_client() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.send([ok("requested"), ok("poison")].concat());
        }
    });
    let program = start(&backend);
    for _ in 0..20 {
        assert_eq!(Client::connect(program.http()).get("a.test", "/").text(), "requested");
    }
}

#[test]
fn errors_reach_a_client_that_is_still_sending() {
    let refusing = Refusing::new();
    let backend = Backend::answering("ok");
    let program = Start::new()
        .flags(&["--route", &format!("down.test={}", refusing.address())])
        .flags(&["--route", &format!("a.test/only={}", backend.address)])
        .run();
    let body = vec![b'x'; 2_000_000];
    for (host, status) in [("a.test", 404), ("down.test", 502)] {
        let mut client = Client::connect(program.http());
        let mut sender = Client::new(client.stream.try_clone().unwrap());
        let head = format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n", body.len());
        thread::scope(|scope| {
            scope.spawn(|| {
                sender.send(head);
                // May fail once the response was read and the connection closed.
                let _ = std::io::Write::write_all(&mut sender.stream, &body);
            });
            assert_eq!(client.response().status, status);
        });
    }
}
