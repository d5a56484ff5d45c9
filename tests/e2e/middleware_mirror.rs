//! `mirror`: copies of requests for a second backend, from clients with HTTP/1.1 and HTTP/2, with and without TLS.

use std::{
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::Request;
use nix::sys::signal::Signal;
use tungstenite::Message;

use super::{
    answers::{Got, WAYS, Way, deliver, fetch, start, to, upstream},
    middleware_buffer::{AnyBody, bytes, of_known_length, of_unknown_length},
    upgrades::websocket_echo,
};
use crate::support::{
    Backend, Client, PATIENCE, Program,
    backend::{Refusing, ok},
    client::get,
    read,
};

const HOST: &str = "example.com";

#[tokio::main(flavor = "current_thread")]
async fn send(program: &Program, way: Way, request: Request<AnyBody>) -> Result<Got, hyper::Error> {
    deliver(program, way, HOST, request).await
}

/// The file for a route with this mirror.
fn route(backend: &Backend, mirror: &str) -> String {
    format!("[[routes]]\nhost = \"{HOST}\"\n{}mirror = {mirror}\n", upstream(backend))
}

fn address(mirror: &Backend) -> String {
    format!("\"{}\"", mirror.address)
}

/// Waits until this many copies have arrived.
#[track_caller]
fn copies(mirror: &Backend, count: usize) -> Vec<read::Request> {
    let start = Instant::now();
    loop {
        let requests = mirror.requests();
        if requests.len() >= count {
            assert_eq!(requests.len(), count, "{requests:?}");
            return requests;
        }
        assert!(start.elapsed() < PATIENCE, "{} of {count} copies", requests.len());
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_mirror_gets_what_the_upstream_gets() {
    for way in WAYS {
        let (backend, mirror) = (Backend::answering("hello"), Backend::answering("never seen"));
        let config = route(&backend, &address(&mirror)).replace("example.com\"", "example.com\"\nprefix = \"/api\"")
            + "strip_prefix = true\nhost_header = \"inner.test\"\nrequest_headers = { x-team = \"a\", x-debug = false }\n";
        let program = start(&config);
        for (method, body) in [
            ("GET", of_known_length(Bytes::new())),
            ("HEAD", of_known_length(Bytes::new())),
            ("POST", of_known_length(bytes(60_000))),
            ("PUT", of_unknown_length(bytes(65_536))),
        ] {
            let request = to(way, HOST, "/api/path?query").method(method).header("x-debug", "1");
            // Clients cannot mark a request as a copy.
            let request = request.header("x-pmesh-mirror", "1").header("X_Pmesh_Mirror", "1").body(body).unwrap();
            let got = send(&program, way, request).unwrap();
            assert_eq!(
                (got.status, &*got.body),
                (200, if method == "HEAD" { "" } else { "hello" }),
                "{way:?} {method}"
            );
        }
        let sent = backend.requests();
        let mut copied = copies(&mirror, 4);
        assert_eq!(sent.len(), 4);
        for request in sent {
            let index = copied.iter().position(|copy| copy.method == request.method).unwrap();
            let copy = copied.remove(index);
            assert_eq!(copy.field("x-pmesh-mirror"), "1");
            assert!(request.all("x-pmesh-mirror").is_empty() && request.all("x_pmesh_mirror").is_empty());
            assert_eq!((&*copy.target, copy.field("host"), copy.field("x-team")), ("/path?query", "inner.test", "a"));
            // The length of a copy is always known.
            let rest = |request: &read::Request| {
                let own = ["x-pmesh-mirror", "content-length", "transfer-encoding"];
                let mut fields = request.fields.clone();
                fields.retain(|(name, _)| !own.contains(&&**name));
                fields.sort_unstable();
                fields
            };
            assert_eq!(rest(&copy), rest(&request), "{way:?}");
            assert_eq!((copy.target, copy.body), (request.target, request.body), "{way:?}");
        }
    }
}

#[test]
fn trailers_are_copied_and_a_buffer_comes_first() {
    for buffer in ["", "buffer = \"64KiB\"\n"] {
        let (backend, mirror) = (Backend::answering("hello"), Backend::answering("ok"));
        let program = start(&(route(&backend, &address(&mirror)) + buffer));
        let mut client = Client::connect(program.http());
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\nExpect: 100-continue\r\n\r\n"
        ));
        assert_eq!(client.head().status, 100);
        client.send("4\r\nbody\r\n0\r\nx-sum: 1\r\n\r\n");
        assert_eq!(client.response().text(), "hello");
        let copy = copies(&mirror, 1).remove(0);
        assert_eq!((&*copy.body, copy.trailers), (&b"body"[..], vec![("x-sum".to_owned(), "1".to_owned())]));
        assert!(copy.fields.iter().all(|(name, _)| name != "expect"));
    }
}

#[test]
fn a_mirror_that_never_answers_is_not_noticed() {
    let backend = Backend::answering("hello");
    let mirror = Backend::start(|connection| connection.drain());
    let config = route(&backend, &format!("{{ upstream = {}, max_in_flight = 5 }}", address(&mirror)));
    let program = Arc::new(start(&config));
    let threads = (0..10).map(|_| {
        let address = program.http();
        thread::spawn(move || {
            let mut client = Client::connect(address);
            for _ in 0..100 {
                client.send(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 4\r\n\r\nbody"));
                assert_eq!(client.response().text(), "hello");
            }
        })
    });
    threads.collect::<Vec<_>>().into_iter().for_each(|thread| thread.join().unwrap());
    for way in WAYS {
        assert_eq!(fetch(&program, way, "POST", "example.com/", &[]).unwrap().body, "hello", "{way:?}");
    }
    assert_eq!(backend.requests().len(), 1004);
    assert_eq!(copies(&mirror, 5).len(), 5);
    // Nobody is warned about requests that are not copied.
    assert!(!program.log().iter().any(|line| line.contains(" WARN ")), "{:?}", program.log());
}

#[test]
fn a_mirror_that_is_down_or_breaks_off_is_not_noticed() {
    let refusing = Refusing::new();
    let breaks = Backend::start(|connection| drop(connection.request()));
    let errors = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.send(format!(
                "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 100000\r\n\r\n{}",
                "x".repeat(100_000)
            ));
        }
    });
    let garbage = Backend::start(|connection| {
        connection.request();
        connection.send("SSH-2.0-OpenSSH\r\n\r\n");
    });
    for mirror in [format!("\"{}\"", refusing.address()), address(&breaks), address(&errors), address(&garbage)] {
        let backend = Backend::answering("hello");
        let program = start(&route(&backend, &mirror));
        for way in WAYS {
            for _ in 0..10 {
                let got = fetch(&program, way, "POST", "example.com/", &[]).unwrap();
                assert_eq!((got.status, &*got.body), (200, "hello"), "{way:?} {mirror}");
            }
        }
        assert_eq!(backend.requests().len(), 40);
    }
    assert!(!errors.requests().is_empty());
}

#[test]
fn only_a_percentage_of_requests_is_copied() {
    let (backend, mirror) = (Backend::answering("hello"), Backend::answering("ok"));
    let program = start(&route(&backend, &format!("{{ upstream = {}, percent = 10 }}", address(&mirror))));
    let mut client = Client::connect(program.http());
    for _ in 0..200 {
        assert_eq!(client.get(HOST, "/").status, 200);
    }
    copies(&mirror, 20);
}

#[test]
fn rejected_requests_upgrades_and_streams_are_not_copied() {
    let (backend, mirror) = (websocket_echo(), Backend::answering("ok"));
    let plain = Backend::answering("hello");
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{}mirror = {}\n\
         [[routes.routes]]\nprefix = \"/chat\"\n{}\
         [[routes.routes]]\nprefix = \"/denied\"\ndeny = \"127.0.0.0/8\"\n\
         [[routes.routes]]\nprefix = \"/private\"\n\
         basic_auth = {{ users = {{ a = \"$2y$04$abcdefghijklmnopqrstuuR9ZgUE3nLXwUBn5bs1tYgyH3ub5J7S6\" }} }}\n\
         [[routes.routes]]\nprefix = \"/limited\"\nmax_body = 3\n\
         [[routes.routes]]\nprefix = \"/off\"\nmirror = false\n\
         [[routes.routes]]\nprefix = \"/fixed\"\nrespond = 204\n",
        upstream(&plain),
        address(&mirror),
        upstream(&backend),
    );
    let program = start(&config);
    let stream = Client::connect(program.http()).stream;
    let (mut socket, _) = tungstenite::client(format!("ws://{HOST}/chat"), stream).unwrap();
    socket.send(Message::text("hello")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("hello"));
    for way in WAYS {
        for (path, kind, status) in [
            ("/denied", "", 403),
            ("/private", "", 401),
            ("/limited", "", 413),
            ("/off", "", 200),
            ("/fixed", "", 204),
            ("/grpc", "application/grpc", 200),
        ] {
            let headers = [("content-type", kind)];
            let got = fetch(&program, way, "POST", &format!("{HOST}{path}"), &headers).unwrap();
            assert_eq!(got.status, status, "{way:?} {path}");
        }
    }
    // A request that is copied comes last.
    assert_eq!(Client::connect(program.http()).get(HOST, "/last").status, 200);
    assert_eq!(copies(&mirror, 1)[0].target, "/last");
}

#[test]
fn long_and_aborted_bodies_are_not_copied() {
    let (backend, mirror) = (Backend::answering("hello"), Backend::answering("ok"));
    for buffer in ["", "buffer = \"1KiB\"\n"] {
        let config = route(&backend, &format!("{{ upstream = {}, max_body = 5000 }}", address(&mirror)));
        let program = start(&(config + buffer));
        for way in WAYS {
            for body in [of_known_length, of_unknown_length] {
                let sent = bytes(5001);
                let got =
                    send(&program, way, to(way, HOST, "/").method("PUT").body(body(sent.clone())).unwrap()).unwrap();
                assert_eq!(got.status, 200, "{way:?}");
                assert!(backend.requests().last().is_some_and(|request| request.body.len() == 5001), "{way:?}");
            }
        }
        for head in ["Content-Length: 10\r\n\r\nbody", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n"] {
            let mut client = Client::connect(program.http());
            client.send(format!("PUT / HTTP/1.1\r\nHost: {HOST}\r\n{head}"));
            client.finish_sending();
            client.end();
        }
        assert_eq!(Client::connect(program.http()).get(HOST, "/last").status, 200);
    }
    assert!(copies(&mirror, 2).iter().all(|copy| copy.target == "/last"));
}

#[test]
fn on_shutdown_copies_in_flight_finish_but_nobody_waits_long_for_them() {
    let (release, released) = mpsc::channel();
    let released = Arc::new(Mutex::new(released));
    let held = || {
        let released = Arc::clone(&released);
        Backend::start(move |connection| {
            while connection.request().is_some() {
                // An error means that the test is over.
                let _ = released.lock().unwrap().recv();
                connection.send(ok("late"));
            }
        })
    };
    let mirror = held();
    let mut program = start(&route(&Backend::answering("hello"), &address(&mirror)));
    assert_eq!(Client::connect(program.http()).get(HOST, "/").status, 200);
    copies(&mirror, 1);
    // It has one request in flight, so it waits for that.
    let (slow, finish) = super::middleware_limits::slow_backend();
    drop(program);
    program = start(&route(&slow, &address(&mirror)));
    let mut client = Client::connect(program.http());
    client.send(get(HOST, "/slow"));
    assert_eq!(client.head().status, 200);
    copies(&mirror, 2);
    program.signal(Signal::SIGTERM);
    program.wait_for_line("shutting down");
    for _ in 0..2 {
        release.send(()).unwrap();
    }
    finish.send(()).unwrap();
    assert_eq!(client.take(2), b"12");
    assert_eq!(program.wait().code(), Some(0));
    program.wait_for_line("mirrored=\"answered 1\"");

    // A mirror that hangs does not keep the process from ending.
    let hangs = Backend::start(|connection| connection.drain());
    let mut program = start(&route(&Backend::answering("hello"), &address(&hangs)));
    assert_eq!(Client::connect(program.http()).get(HOST, "/").status, 200);
    copies(&hangs, 1);
    program.signal(Signal::SIGTERM);
    assert_eq!(program.wait().code(), Some(0));
    assert!(!program.log().iter().any(|line| line.contains("shutdown_timeout")), "{:?}", program.log());
}
