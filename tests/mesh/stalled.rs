//! Stalled requests and responses, next to others on the same connection between two nodes.

use std::{
    io::Write,
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

use crate::{
    messages::nodes_with,
    support::{Backend, Client, End, backend::ok, client::get},
};

/// So many that their unread bodies would fill the HTTP/2 window of an ordinary client connection.
const STALLED: usize = 6;
/// Long enough that no request times out.
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

#[test]
fn an_event_stream_outlives_the_stall_timeout_of_both_nodes() {
    let (more, next) = mpsc::channel();
    let next = Mutex::new(next);
    let backend = Backend::start(move |connection| {
        let Some(request) = connection.head() else { return };
        if request.target == "/stalled" {
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
            return connection.drain();
        }
        connection.send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: first\n\n");
        if next.lock().unwrap().recv().is_ok() {
            connection.send("data: last\n\n");
        }
    });
    let (a, _b) = nodes_with(&backend, &["--stall-timeout", "1s"]);
    let mut events = Client::connect(a.http());
    events.send(get("x.test", "/"));
    assert_eq!(events.head().status, 200);
    while events.line() != "data: first" {}
    // They share the connection between the nodes.
    for _ in 0..2 {
        let mut stalled = Client::connect(a.http());
        stalled.send(get("x.test", "/stalled"));
        assert_eq!(stalled.head().status, 200);
        assert_eq!(stalled.end(), (b"half".to_vec(), End::Reset));
    }
    more.send(()).unwrap();
    while events.line() != "data: last" {}
}
