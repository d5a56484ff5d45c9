//! Deadlines for clients and backends once the gate is open.

use std::{io::Write, thread, time::Duration};

use crate::support::{Backend, Client, Connection, End, Start, client::get, h2, tls::Tls};

#[test]
fn an_idle_connection_is_closed() {
    let backend = Backend::answering("ok");
    // The keep-alive timeout is for the idle client, the head timeout for half a head.
    let flags = ["--keep-alive-timeout", "1s", "--head-timeout", "1s", "--silence-deadline", "1h"];
    let program = Start::new().route("a.test", &backend).flags(&flags).run();
    for (name, rest) in [("nothing more", ""), ("half a head", "GET / HTTP/1.1\r\nHost: a.t")] {
        let mut client = Client::connect(program.http());
        client.send(get("a.test", "/") + rest);
        assert_eq!(client.response().status, 200);
        assert_eq!(client.end(), (Vec::new(), End::Fin), "{name}");
    }
    let mut tls = Tls::trusting(&program).connect(program.https(), "a.test").unwrap();
    assert_eq!(tls.get("a.test", "/").status, 200);
    assert_eq!(tls.end(), (Vec::new(), End::Fin));
}

#[test]
fn the_keep_alive_timeout_does_not_apply_to_the_first_request() {
    let backend = Backend::answering("ok");
    let flags = ["--keep-alive-timeout", "1s", "--silence-deadline", "1h"];
    let program = Start::new().workers(1).route("a.test", &backend).flags(&flags).run();
    let mut slow = Client::connect(program.http());
    slow.send("GET / HTTP/1.1\r\nHost: ");
    // This one connected later and has been closed by now.
    let mut idle = Client::connect(program.http());
    assert_eq!(idle.get("a.test", "/").status, 200);
    assert_eq!(idle.end(), (Vec::new(), End::Fin));
    slow.send("a.test\r\n\r\n");
    assert_eq!(slow.response().status, 200);
}

#[test]
fn an_idle_http2_connection_gets_goaway() {
    let backend = Backend::answering("ok");
    let program = Start::new().route("a.test", &backend).flags(&["--keep-alive-timeout", "1s"]).run();
    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send([h2::opening(), h2::headers(1, &h2::get("a.test", "/"), true)].concat());
    client.frames_until(|frame| frame.stream == 1 && frame.ends_stream());
    client.frames_until(|frame| frame.kind == h2::GOAWAY);
    while client.frame().is_some() {}
}

#[test]
fn unfinished_http2_heads_do_not_count_as_requests() {
    let backend = Backend::answering("ok");
    let program = Start::new().route("a.test", &backend).flags(&["--keep-alive-timeout", "1s"]).run();
    let whole = h2::headers(1, &h2::get("a.test", "/"), true);
    // HEADERS without END_HEADERS and no CONTINUATION, and an incomplete frame.
    let open = h2::frame(h2::HEADERS, 1, 1, &whole[9..]);
    for (name, bytes) in [("no CONTINUATION", &open[..]), ("half a frame", &whole[..whole.len() / 2])] {
        let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
        client.send([&h2::opening(), bytes].concat());
        client.frames_until(|frame| frame.kind == h2::GOAWAY);
        while client.frame().is_some() {}
        assert!(backend.connections().is_empty(), "{name}");
    }
}

#[test]
fn a_response_that_takes_longer_than_keep_alive_is_not_cut_off() {
    let backend = Backend::answering("ok");
    let slow = Backend::start(|connection| {
        connection.request().unwrap();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
        // The second half is never sent.
        connection.take(usize::MAX);
    });
    let program = Start::new()
        .workers(1)
        .route("a.test", &backend)
        .route("slow.test", &slow)
        .flags(&["--keep-alive-timeout", "1s"])
        .run();
    let mut busy = Client::connect(program.http());
    busy.send(get("slow.test", "/"));
    assert_eq!(busy.head().status, 200);
    assert_eq!(busy.take(1), b"o");
    // This one connected later and is idle: once it is closed, the timeout has passed for both.
    let mut idle = Client::connect(program.http());
    assert_eq!(idle.get("a.test", "/").status, 200);
    assert_eq!(idle.end(), (Vec::new(), End::Fin));
    assert!(slow.connections().iter().all(|record| !record.ended));
}

#[test]
fn a_client_that_stalls_in_its_body_gets_408() {
    let silent = Backend::start(Connection::drain);
    let program = Start::new().route("a.test", &silent).flags(&["--response-timeout", "100ms"]).run();
    let mut client = Client::connect(program.http());
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhalf.");
    assert_eq!(client.response().status, 408);
    silent.wait_for_end();
}

#[test]
fn a_client_whose_body_trickles_gets_408() {
    let silent = Backend::start(Connection::drain);
    let flags = ["--stall-timeout", "500ms", "--body-min-rate", "1KiB"];
    let program = Start::new().route("a.test", &silent).flags(&flags).run();
    let mut client = Client::connect(program.http());
    client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\n");
    let mut sender = client.stream.try_clone().unwrap();
    // Until the test shuts the connection down.
    let sending = thread::spawn(move || {
        while sender.write_all(b"x").is_ok() {
            thread::sleep(Duration::from_millis(10));
        }
    });
    assert_eq!(client.response().status, 408);
    assert_eq!(client.end(), (Vec::new(), End::Fin));
    client.finish_sending();
    sending.join().unwrap();
    silent.wait_for_end();
}
