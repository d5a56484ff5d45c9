//! Requests that are cancelled by their client.

use std::sync::{Mutex, mpsc};

use crate::{
    messages::nodes,
    support::{Backend, Client, PATIENCE, backend::ok, client::get},
};

#[test]
fn a_request_is_cancelled_when_its_client_leaves() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.drain();
    });
    let (a, _b) = nodes(&backend);
    let mut client = Client::connect(a.http());
    client.send(get("x.test", "/"));
    backend.wait_for_bytes(b"\r\n\r\n");
    drop(client);
    backend.wait_for_end();
}

#[test]
fn cancelled_requests_do_not_affect_others() {
    let ((arrived, arrivals), (release, released)) = (mpsc::channel(), mpsc::channel());
    let released = Mutex::new(released);
    let backend = Backend::start(move |connection| {
        while let Some(request) = connection.request() {
            arrived.send(()).unwrap();
            if request.target == "/slow" {
                return connection.drain();
            }
            released.lock().unwrap().recv().unwrap();
            connection.send(ok("hello"));
        }
    });
    let (a, _b) = nodes(&backend);
    // All requests share the connection between the nodes. If it were closed, this one would fail.
    let mut held = Client::connect(a.http());
    held.send("POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: 1\r\n\r\nx");
    arrivals.recv_timeout(PATIENCE).unwrap();
    // More requests than b would let an ordinary client cancel.
    for _ in 0..20 {
        let ask = |_| {
            let mut client = Client::connect(a.http());
            client.send(get("x.test", "/slow"));
            client
        };
        let clients: Vec<_> = (0..60).map(ask).collect();
        for _ in &clients {
            arrivals.recv_timeout(PATIENCE).unwrap();
        }
        drop(clients);
    }
    release.send(()).unwrap();
    assert_eq!(held.response().text(), "hello");
}
