//! Backends that fail, each in its own way, next to a healthy one.

use std::{
    collections::BTreeSet,
    io::Write,
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread,
    time::Instant,
};

use crate::support::{
    Backend, Client, Connection, PATIENCE, Start,
    backend::{BlackHole, Refusing, ok},
    client::get,
    h2,
    tls::Tls,
};

/// An endpoint that fails in some way: its machine is gone, it refuses connections, its process is stopped while the kernel
/// still accepts connections, and so on.
struct Failing {
    name: &'static str,
    address: SocketAddr,
    backend: Option<Backend>,
    /// Whether a request to it uses up the whole response timeout, so that no other endpoint is tried.
    takes_all_time: bool,
    _kept: Box<dyn Send>,
}

impl Failing {
    fn each() -> Vec<Self> {
        let (lost, gone) = (BlackHole::new(), Refusing::new());
        let stopped = TcpListener::bind("127.0.0.1:0").unwrap();
        let addresses = (lost.address(), gone.address(), stopped.local_addr().unwrap());
        let failing = |name, address, kept| Self { name, address, backend: None, takes_all_time: false, _kept: kept };
        let mut all = vec![
            failing("lost", addresses.0, Box::new(lost)),
            failing("gone", addresses.1, Box::new(gone)),
            Self { takes_all_time: true, ..failing("stopped", addresses.2, Box::new(stopped)) },
        ];
        type Serve = fn(&mut Connection);
        let serve: [(&str, Serve); 6] = [
            ("hangs", Connection::drain),
            ("resets", |_| {}),
            ("closes", |connection| {
                let _ = connection.request();
            }),
            ("half-closes", |connection| {
                let _ = connection.request();
                connection.finish_sending();
                connection.drain();
            }),
            ("garbage", |connection| {
                let _ = connection.request();
                connection.send("\0garbage\r\n\r\n");
                connection.drain();
            }),
            ("half a head", |connection| {
                let _ = connection.request();
                connection.send("HTTP/1.1 200 OK\r\nContent-Le");
            }),
        ];
        all.extend(serve.map(|(name, serve)| {
            let backend = Backend::start(serve);
            let (address, takes_all_time) = (backend.address, name == "hangs");
            Self { name, address, backend: Some(backend), takes_all_time, _kept: Box::new(()) }
        }));
        all
    }

    /// The targets of the requests with this method.
    fn targets(&self, method: &str) -> Vec<String> {
        self.backend.iter().flat_map(|backend| targets(backend, method)).collect()
    }
}

fn targets(backend: &Backend, method: &str) -> Vec<String> {
    let of_method = backend.requests().into_iter().filter(|request| request.method == method);
    of_method.map(|request| request.target).collect()
}

#[test]
fn repeatable_requests_are_never_lost_and_others_never_repeated() {
    // In parallel, because backends that hang take a while.
    thread::scope(|scope| {
        for failing in Failing::each() {
            scope.spawn(move || check_next_to_a_healthy_endpoint(&failing));
        }
    });
}

fn check_next_to_a_healthy_endpoint(failing: &Failing) {
    let up = Backend::answering("up");
    let program = Start::new()
        .workers(1)
        .flags(&["--route", &format!("a.test={},{}", failing.address, up.address)])
        .flags(&["--connect-timeout", "2s", "--response-timeout", "4s"])
        .run();
    let post = |number: usize| format!("POST /{number} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx");
    // All at once, before the failure is known, and then again.
    let mut clients = Vec::new();
    for number in 0..40 {
        let mut client = Client::connect(program.http());
        client.send(if number % 4 == 3 { post(number) } else { get("a.test", &format!("/{number}")) });
        clients.push((number, client));
    }
    let mut answered = 0;
    for (number, mut client) in clients {
        let status = client.response().status;
        let may_fail = number % 4 == 3 || failing.takes_all_time && status == 504;
        assert!(may_fail || status == 200, "{}: {number}: {status}", failing.name);
        answered += usize::from(number % 4 == 3 && status == 200);
    }
    let mut client = Client::connect(program.http());
    for number in 40..60 {
        assert_eq!(client.get("a.test", &format!("/{number}")).status, 200, "{}: {number}", failing.name);
    }
    // No POST arrived twice anywhere, and no response arrived without a request.
    let posts = [failing.targets("POST"), targets(&up, "POST")].concat();
    let distinct: BTreeSet<_> = posts.iter().collect();
    assert_eq!(distinct.len(), posts.len(), "{}: {posts:?}", failing.name);
    assert_eq!(targets(&up, "POST").len(), answered, "{}", failing.name);
}

#[test]
fn an_endpoint_that_hangs_backs_off() {
    let hanging = Backend::start(Connection::drain);
    let up = Backend::answering("up");
    let program = Start::new()
        .workers(1)
        .flags(&["--route", &format!("a.test={},{}", hanging.address, up.address)])
        .flags(&["--response-timeout", "2s", "--access-log"])
        .run();
    let mut client = Client::connect(program.http());
    let mut last = client.get("a.test", "/first").status;
    while hanging.connections().is_empty() {
        assert_eq!(last, 200);
        last = client.get("a.test", "/second").status;
    }
    // It used up the time for all endpoints.
    assert_eq!(last, 504);
    let line = program.wait_for_line(&format!("path=\"{}\"", hanging.requests()[0].target));
    assert!(line.contains(&format!("upstream=\"{}\" status=504", hanging.address)), "{line}");
    // These arrive before its back-off ends. Otherwise, one at a time would wait for it, but none would be lost.
    let clients: Vec<_> = (0..50)
        .map(|_| {
            let mut client = Client::connect(program.http());
            client.send(get("a.test", "/more"));
            client
        })
        .collect();
    for mut client in clients {
        assert_eq!(client.response().text(), "up");
    }
    assert!(hanging.connections().len() < 5, "{}", hanging.connections().len());
}

#[test]
fn a_slow_client_does_not_count_as_a_failure_of_the_endpoint() {
    let [one, two] = ["one", "two"].map(Backend::answering);
    let program = Start::new()
        .workers(1)
        .flags(&["--route", &format!("a.test={},{}", one.address, two.address)])
        .flags(&["--response-timeout", "2s"])
        .run();
    for _ in 0..2 {
        let mut slow = Client::connect(program.http());
        slow.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhalf.");
        assert_eq!(slow.response().status, 408);
    }
    let mut client = Client::connect(program.http());
    let mut seen = ["", ""].map(|_| client.get("a.test", "/").text().to_owned());
    seen.sort();
    assert_eq!(seen, ["one", "two"]);
}

#[test]
fn a_truncated_body_is_a_failure_of_its_endpoint() {
    let short = Backend::start(|connection| {
        let _ = connection.request();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort");
    });
    let up = Backend::answering("up");
    let program =
        Start::new().workers(1).flags(&["--route", &format!("a.test={},{}", short.address, up.address)]).run();
    let mut first = Client::connect(program.http());
    first.send(get("a.test", "/"));
    assert_eq!(first.head().status, 200);
    assert_eq!(first.end().0, b"short");
    // The healthy endpoint gets two requests in a row, which would not happen if the other had not failed.
    let in_a_row = (0..100).any(|_| {
        (0..2).all(|_| {
            let mut client = Client::connect(program.http());
            client.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
            client.end().0.ends_with(b"up")
        })
    });
    assert!(in_a_row);
}

#[test]
fn the_log_names_the_endpoint() {
    let hanging = Backend::start(Connection::drain);
    let gone = [Refusing::new(), Refusing::new()];
    let garbage = Backend::start(|connection| {
        let _ = connection.request();
        connection.send("garbage\r\n\r\n");
    });
    let up = Backend::answering("up");
    let route = |host: &str, upstreams: &str, rest: &str| {
        format!("[[routes]]\nhost = \"{host}\"\nupstream = [{upstreams}]\n{rest}\n")
    };
    let one = |host: &str, address: SocketAddr| route(host, &format!("\"{address}\""), "");
    let config = [
        one("up.test", up.address),
        one("garbage.test", garbage.address),
        route("hangs.test", &format!("\"{}\"", hanging.address), "response_timeout = \"100ms\""),
        route("gone.test", &format!("\"{}\", \"{}\"", gone[0].address(), gone[1].address()), ""),
        route("h2.test", &format!("\"h2c://{}\"", hanging.address), ""),
    ];
    let flags = ["--connect-timeout", "1s", "--access-log"];
    let program = Start::new().workers(1).config(&config.concat()).flags(&flags).run();
    let mut client = Client::connect(program.http());
    for (host, status, upstream) in [
        ("up.test", 200, up.address.to_string()),
        ("hangs.test", 504, hanging.address.to_string()),
        ("garbage.test", 502, garbage.address.to_string()),
        ("gone.test", 502, gone[1].address().to_string()),
        ("h2.test", 504, format!("h2c://{}", hanging.address)),
    ] {
        assert_eq!(client.get(host, "/").status, status, "{host}");
        let attempts = if matches!(host, "gone.test" | "garbage.test") { " attempts=2" } else { "" };
        let access = program.wait_for_line(&format!("host=\"{host}\" method="));
        assert!(access.contains(&format!("upstream=\"{upstream}\"{attempts} status={status} ")), "{access}");
        if status != 200 {
            program.wait_for_line(&format!("if there are other endpoints endpoint=\"{upstream}\" error="));
        }
    }
    // A request that was sent to no endpoint.
    client.send("TRACE /bad HTTP/1.1\r\nHost: up.test\r\n\r\n");
    assert_eq!(client.response().status, 405);
    assert!(program.wait_for_line("path=\"/bad\"").contains(" upstream=\"-\" status=405 "));
}

#[test]
fn a_recovered_backend_gets_the_next_request() {
    let gone = Refusing::new();
    let program = Start::new().workers(1).flags(&["--route", &format!("a.test={}", gone.address())]).run();
    let mut client = Client::connect(program.http());
    // No matter how often it has failed.
    for _ in 0..20 {
        assert_eq!(client.get("a.test", "/").status, 502);
    }
    let _back = Backend::on(gone.listen(), |connection| {
        while connection.request().is_some() {
            connection.send(ok("back"));
        }
    });
    assert_eq!(client.get("a.test", "/").text(), "back");
}

#[test]
fn a_request_finds_the_only_backend_that_has_recovered() {
    let gone = [Refusing::new(), Refusing::new(), Refusing::new()];
    let addresses = gone.each_ref().map(|gone| gone.address().to_string()).join(",");
    let program = Start::new().workers(1).flags(&["--route", &format!("a.test={addresses}")]).run();
    let mut client = Client::connect(program.http());
    for _ in 0..20 {
        assert_eq!(client.get("a.test", "/").status, 502);
    }
    let [_, back, _] = gone;
    let _back = Backend::on(back.listen(), |connection| {
        while connection.request().is_some() {
            connection.send(ok("back"));
        }
    });
    for _ in 0..4 {
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx");
        assert_eq!(client.response().text(), "back");
    }
}

#[test]
fn no_request_waits_for_endpoints_known_to_be_unreachable() {
    let lost = [BlackHole::new(), BlackHole::new()];
    let addresses = lost.each_ref().map(|lost| lost.address().to_string()).join(",");
    let program =
        Start::new().workers(1).flags(&["--route", &format!("a.test={addresses}"), "--connect-timeout", "1s"]).run();
    let mut client = Client::connect(program.http());
    assert_eq!(client.get("a.test", "/").status, 504);
    // At once, without another attempt.
    assert_eq!(client.get("a.test", "/").status, 503);
    let [_lost, back] = lost;
    let _back = Backend::on(back.listen(), |connection| {
        while connection.request().is_some() {
            connection.send(ok("back"));
        }
    });
    // Noticed in the background, with no request waiting.
    let start = Instant::now();
    while client.get("a.test", "/").status != 200 {
        assert!(start.elapsed() < PATIENCE);
    }
    assert_eq!(client.get("a.test", "/").text(), "back");
}

#[test]
fn requests_of_clients_that_leave_are_cancelled() {
    // The backend has read the whole request, and has not responded, or only started to.
    for begins in [false, true] {
        let (seen, ended) = mpsc::channel();
        let seen2 = seen.clone();
        let (arrived, requests) = mpsc::channel();
        let arrived2 = arrived.clone();
        let http1 = Backend::start(move |connection| {
            connection.request().unwrap();
            if begins {
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
            }
            arrived.send("http1").unwrap();
            connection.drain();
            seen.send("http1").unwrap();
        });
        let http2 = Backend::start(move |connection| {
            connection.take(h2::PREFACE.len()).unwrap();
            let mut peer = Client::new(connection);
            peer.send([h2::frame(h2::SETTINGS, 0, 0, &[]), h2::frame(h2::SETTINGS, 1, 0, &[])].concat());
            while let Some(frame) = peer.frame() {
                match frame.kind {
                    h2::HEADERS => {
                        if begins {
                            peer.send(h2::headers(frame.stream, &[(":status", b"200")], false));
                            peer.send(h2::data(frame.stream, b"half", false));
                        }
                        arrived2.send("http2").unwrap();
                    }
                    h2::RST_STREAM => {
                        assert_eq!(frame.payload, [0, 0, 0, 8], "CANCEL");
                        seen2.send("http2").unwrap();
                    }
                    _ => {}
                }
            }
        });
        let program = Start::new()
            .workers(1)
            .route("http1.test", &http1)
            .flags(&["--route", &format!("http2.test=h2c://{}", http2.address)])
            .run();
        let tls = Tls::trusting(&program).alpn(&["h2"]);
        for backend in ["http1", "http2"] {
            let host = format!("{backend}.test");
            let mut client = Client::connect(program.http());
            client.send(get(&host, "/"));
            assert_eq!(requests.recv_timeout(PATIENCE), Ok(backend));
            if begins {
                assert_eq!(client.head().status, 200);
            }
            drop(client);
            assert_eq!(ended.recv_timeout(PATIENCE), Ok(backend), "HTTP/1.1, begins: {begins}");

            let mut client = tls.connect(program.https(), &host).unwrap();
            client.send([h2::opening(), h2::headers(1, &h2::get(&host, "/"), true)].concat());
            assert_eq!(requests.recv_timeout(PATIENCE), Ok(backend));
            if begins {
                assert_eq!(client.answer(1), h2::Answer::Status(200));
            }
            client.send(h2::frame(h2::RST_STREAM, 0, 1, &[0, 0, 0, 8]));
            assert_eq!(ended.recv_timeout(PATIENCE), Ok(backend), "HTTP/2, begins: {begins}");
            // Its other streams continue.
            client.send(h2::headers(3, &h2::get(&host, "/"), true));
            assert_eq!(requests.recv_timeout(PATIENCE), Ok(backend));
            drop(client);
            assert_eq!(ended.recv_timeout(PATIENCE), Ok(backend), "HTTP/2, begins: {begins}");
        }
    }
}

#[test]
fn a_response_before_a_reset_is_forwarded() {
    // Closing with most of the request unread resets the connection.
    let refusing = Backend::start(|connection| {
        let _ = connection.head();
        connection.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo long");
    });
    let program = Start::new().workers(1).route("a.test", &refusing).run();
    let body = vec![b'x'; 4 * 1024 * 1024];
    for _ in 0..20 {
        let mut client = Client::connect(program.http());
        client.send(format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n", body.len()));
        let mut upload = client.stream.try_clone().unwrap();
        thread::scope(|scope| {
            // Fails if the connection is closed before the rest is sent.
            scope.spawn(|| upload.write_all(&body));
            assert_eq!(client.response().text(), "too long");
        });
    }
}
