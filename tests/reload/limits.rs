//! Connection limits that are lowered and raised while connections are open.

use std::net::TcpStream;

use crate::{
    kept::{assert_echo, backend, tunnel},
    reload, route, start,
    support::{Client, End, Program, client::exchange, client::get},
};

fn sends(program: &Program) -> Client<TcpStream> {
    let mut client = Client::connect(program.http());
    client.send("GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
    client
}

#[test]
fn connections_wait_until_they_fit_the_new_maximum() {
    let (backend, _release) = backend();
    let same = route("a.test", backend.address);
    let program = start(&format!("max_connections = 4\n{same}"));
    let mut inside: Vec<_> = (0..4).map(|_| tunnel(&program, "a.test")).collect();
    reload(&program, &format!("max_connections = 2\n{same}"));
    inside.iter_mut().for_each(assert_echo);
    let mut waiting = sends(&program);
    program.wait_for_line("connection limit reached: idle connections");

    reload(&program, &format!("max_connections = 5\n{same}"));
    assert_eq!(waiting.response().status, 200);
    inside.iter_mut().for_each(assert_echo);

    // Three of four must close before there is a free slot.
    reload(&program, &format!("max_connections = 2\n{same}"));
    let mut waiting = sends(&program);
    for _ in 0..3 {
        inside.iter_mut().for_each(assert_echo);
        inside.pop();
    }
    assert_eq!(waiting.response().status, 200);
    inside.iter_mut().for_each(assert_echo);
}

#[test]
fn a_new_limit_per_client_applies_to_new_connections() {
    let (backend, _release) = backend();
    let same = route("a.test", backend.address);
    let program = start(&format!("max_connections_per_client = 2\n{same}"));
    let mut inside = vec![tunnel(&program, "a.test"), tunnel(&program, "a.test")];
    let request = get("a.test", "/");
    let refused = || assert_eq!(exchange(program.http(), request.as_bytes()), (Vec::new(), End::Fin));
    refused();
    reload(&program, &format!("max_connections_per_client = 3\n{same}"));
    inside.push(tunnel(&program, "a.test"));
    refused();
    reload(&program, &format!("max_connections_per_client = 1\n{same}"));
    refused();
    inside.iter_mut().for_each(assert_echo);
    // Trusted proxies are exempt.
    reload(&program, &format!("max_connections_per_client = 1\ntrusted_proxies = [\"127.0.0.1\"]\n{same}"));
    inside.push(tunnel(&program, "a.test"));
    reload(&program, &same);
    inside.push(tunnel(&program, "a.test"));
    inside.iter_mut().for_each(assert_echo);
}
