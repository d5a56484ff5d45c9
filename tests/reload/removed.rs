//! What becomes of a route that is removed: requests in flight finish, tunnels are closed.

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

    // Once it is back, its tunnels are new ones.
    reload(&program, &before);
    assert_echo(&mut tunnel(&program, "gone.test"));
}

#[test]
fn a_tunnel_may_go_on_for_the_shutdown_timeout() {
    let (kept, _release) = backend();
    let program = start(&format!("shutdown_timeout = \"1h\"\n{}", route("gone.test", kept.address)));
    let mut socket = tunnel(&program, "gone.test");
    for _ in 0..3 {
        reload(&program, "shutdown_timeout = \"1h\"\n");
        assert_echo(&mut socket);
    }
}
