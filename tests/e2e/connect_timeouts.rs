//! Routes to the same backend, with different connect timeouts.

use std::net::SocketAddr;

use crate::support::{Backend, Client, Start, backend::BlackHole, client::get};

/// A route with a short timeout for a.test, and one with a long timeout for b.test.
fn two_routes(address: SocketAddr) -> Start {
    let route = |host, timeout| {
        format!("[[routes]]\nhost = \"{host}\"\nupstream = \"{address}\"\nconnect_timeout = \"{timeout}\"\n")
    };
    Start::new().workers(1).config(&(route("a.test", "200ms") + &route("b.test", "1h")))
}

#[test]
fn each_route_has_its_own_connect_timeout() {
    let lost = BlackHole::new();
    let program = two_routes(lost.address()).run();
    let mut patient = Client::connect(program.http());
    patient.send(get("b.test", "/"));
    assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 504);
    patient.stream.set_nonblocking(true).unwrap();
    assert_eq!(patient.stream.peek(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn routes_with_different_timeouts_share_connections() {
    let backend = Backend::answering("ok");
    let program = two_routes(backend.address).run();
    for host in ["a.test", "b.test"] {
        assert_eq!(Client::connect(program.http()).get(host, "/").status, 200);
    }
    assert_eq!(backend.connections().len(), 1);
}
