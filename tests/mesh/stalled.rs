//! Requests and responses that somebody does not take, beside others on the same connection of two nodes.

use std::{io::Write, thread, time::Duration};

use crate::{
    messages::nodes_with,
    support::{Backend, Client, backend::ok},
};

/// More than a connection of a client of HTTP/2 may have waiting.
const STALLED: usize = 6;
/// Nobody is sent away.
const PATIENT: &[&str] = &["--stall-timeout", "1h", "--response-timeout", "1h"];

#[test]
fn uploads_that_stall_do_not_hold_up_others() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.head() {
            if request.target == "/stalled" {
                return thread::park();
            }
            connection.take(1024 * 1024).unwrap();
            connection.send(ok("hello"));
        }
    });
    let (a, _b) = nodes_with(&backend, PATIENT);
    let stall = |_| {
        let mut client = Client::connect(a.http());
        client.send(format!("POST /stalled HTTP/1.1\r\nHost: x.test\r\nContent-Length: {}\r\n\r\n", 1 << 30));
        // Until all buffers on the way are full.
        client.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        thread::spawn(move || {
            while client.stream.write_all(&[b'x'; 64 * 1024]).is_ok() {}
            client
        })
    };
    let stalled: Vec<_> = (0..STALLED).map(stall).collect();
    let _stalled: Vec<_> = stalled.into_iter().map(|client| client.join().unwrap()).collect();
    let mut client = Client::connect(a.http());
    client.send(format!("POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: {}\r\n\r\n", 1024 * 1024));
    client.send([b'x'; 1024 * 1024]);
    assert_eq!(client.response().text(), "hello");
}

#[test]
fn downloads_that_nobody_reads_do_not_hold_up_others() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            if request.target == "/stalled" {
                connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 1 << 30));
                while connection.try_send([b'y'; 64 * 1024]).is_ok() {}
                return;
            }
            connection.send(ok(&"y".repeat(1024 * 1024)));
        }
    });
    let (a, _b) = nodes_with(&backend, PATIENT);
    let stall = |_| {
        let mut client = Client::connect(a.http());
        client.send("GET /stalled HTTP/1.1\r\nHost: x.test\r\n\r\n");
        assert_eq!(client.head().status, 200);
        client
    };
    let _stalled: Vec<_> = (0..STALLED).map(stall).collect();
    assert_eq!(Client::connect(a.http()).get("x.test", "/").body.len(), 1024 * 1024);
}
