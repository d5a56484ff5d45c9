//! When a route is removed, its requests in flight finish and its tunnels are closed.

use crate::{
    assert_silent,
    kept::{assert_echo, backend, held, tunnel},
    reload, route, start,
};

#[test]
fn a_request_in_flight_finishes_and_a_tunnel_is_closed() {
    let (kept, release) = backend();
    let other = route("other.test", kept.address);
    let before = [route("gone.test", kept.address), other.clone()].concat();
    let program = start(&before);
    let (mut socket, mut of_other) = (tunnel(&program, "gone.test"), tunnel(&program, "other.test"));
    let mut download = held(&program, "gone.test");
    assert_echo(&mut socket);

    reload(&program, &format!("shutdown_timeout = \"1ms\"\n{other}"));
    assert!(socket.read().is_err());
    assert_silent(program.http(), "gone.test");
    release.send(()).unwrap();
    assert_eq!(download.take(4), b"half");
    assert_echo(&mut of_other);

    // When the route comes back, it serves new tunnels.
    reload(&program, &before);
    assert_echo(&mut tunnel(&program, "gone.test"));
}

#[test]
fn a_tunnel_of_a_removed_route_stays_open_for_shutdown_timeout() {
    let (kept, _release) = backend();
    let program = start(&format!("shutdown_timeout = \"1h\"\n{}", route("gone.test", kept.address)));
    let mut socket = tunnel(&program, "gone.test");
    for _ in 0..3 {
        reload(&program, "shutdown_timeout = \"1h\"\n");
        assert_echo(&mut socket);
    }
}
