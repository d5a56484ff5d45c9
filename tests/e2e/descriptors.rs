//! When file descriptors run out, the program accepts no connections for a while and keeps serving.

use std::thread;

use crate::support::{Backend, Client, End, Program, Start, client::get};

/// Starts the program with 64 descriptors and no other connection limit.
fn start(backends: &[(&str, &Backend)]) -> Program {
    let start = Start::new()
        .workers(1)
        .flags(&["--silence-deadline", "1h", "--head-timeout", "1h", "--max-connections", "1000"])
        // Soft and hard, so that the program cannot raise it.
        .through(&["sh", "-c", "ulimit -n 64; exec \"$0\" \"$@\""]);
    backends.iter().fold(start, |start, (host, backend)| start.route(host, backend)).run()
}

#[test]
fn existing_clients_are_served_while_descriptors_have_run_out() {
    let backend = Backend::answering("ok");
    let program = start(&[("a.test", &backend)]);
    let mut early = Client::connect(program.http());
    assert_eq!(early.get("a.test", "/").status, 200);

    let crowd: Vec<_> = (0..100).map(|_| Client::connect(program.http())).collect();
    program.wait_for_line("cannot accept a connection");
    // Accepted clients are served over the existing backend connection.
    assert_eq!(early.get("a.test", "/").status, 200);
    drop(crowd);
    // Logged after a calm period.
    let recovered = (0..1_000_000).any(|_| {
        assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 200);
        program.log().iter().any(|line| line.contains("connections are accepted again"))
    });
    assert!(recovered);
    assert_eq!(early.get("a.test", "/").status, 200);
    // Many failures, one line.
    let lines = program.log().iter().filter(|line| line.contains("cannot accept a connection")).count();
    assert_eq!(lines, 1);
}

/// The start of a request. A client that is sending a head is not closed to make room.
const BEGUN: &str = "GET / HTTP/1.1\r\n";

#[test]
fn no_descriptor_for_a_backend_connection_is_503() {
    let (backend, other) = (Backend::answering("ok"), Backend::answering("other"));
    let program = start(&[("a.test", &backend), ("other.test", &other)]);
    let mut early = Client::connect(program.http());
    assert_eq!(early.get("a.test", "/").status, 200);
    early.send(BEGUN);
    // Served clients, because strangers would be closed. One after the other, so that they share one backend connection.
    let mut crowd = Vec::new();
    let full = || program.log().iter().any(|line| line.contains("cannot accept a connection"));
    while !full() {
        let mut client = Client::connect(program.http());
        client.send(get("a.test", "/"));
        client.stream.set_nonblocking(true).unwrap();
        while !full() && client.stream.peek(&mut [0]).is_err() {
            thread::yield_now();
        }
        client.stream.set_nonblocking(false).unwrap();
        client.send(BEGUN);
        crowd.push(client);
    }
    let mut next = |host| {
        early.send(format!("Host: {host}\r\n\r\n"));
        let status = early.response().status;
        early.send(BEGUN);
        status
    };
    // The last of them may still use the backend connection.
    while next("a.test") != 200 {}
    // This does not count as a failure of the backend.
    assert_eq!(next("other.test"), 503);
    assert_eq!(next("a.test"), 200);
    drop(crowd);
    // New connections are accepted once the other clients have left.
    assert_eq!(Client::connect(program.http()).get("other.test", "/").status, 200);
}

#[test]
fn strangers_are_closed_first() {
    let backend = Backend::answering("ok");
    let program = start(&[("a.test", &backend)]);
    let mut early = Client::connect(program.http());
    assert_eq!(early.get("a.test", "/").status, 200);
    let _strangers: Vec<_> = (0..100).map(|_| Client::connect(program.http())).collect();
    program.wait_for_line("cannot accept a connection");
    for _ in 0..3 {
        assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 200);
    }
    assert_eq!(early.get("a.test", "/").status, 200);
}

#[test]
fn idle_connections_are_closed_next() {
    let [backend, other, third, fourth] = [0; 4].map(|_| Backend::answering("ok"));
    let others = ["b.test", "c.test", "d.test"];
    let program = start(&[("a.test", &backend), (others[0], &other), (others[1], &third), (others[2], &fourth)]);
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = Client::connect(program.http());
        // The backend connection may not be back in the pool yet, and no client may have been idle for long enough.
        while client.get("a.test", "/").status != 200 {}
        clients.push(client);
    }
    program.wait_for_line("cannot accept a connection");
    assert_eq!(clients[0].end(), (Vec::new(), End::Fin));
    // One or two descriptors may be free, but not enough for a connection to each of the other backends.
    let last = clients.last_mut().unwrap();
    for host in others {
        assert!((0..10_000).any(|_| last.get(host, "/").status == 200), "{host}");
    }
}
