//! `internal` is silent to all clients, whatever names are served on other ports.

use std::thread;

use crate::silence_https::{names_nothing, unfinished};
use crate::support::{
    Backend, Client, End, Program, Start, assert_none,
    client::{exchange, get},
    shown,
    tls::{TLS12, Tls, cut},
};

const SERVED: &str = "served.test";

fn assert_silent(program: &Program, cases: Vec<(&'static str, Vec<u8>)>) {
    let address = program.internal();
    let ends: Vec<_> =
        cases.into_iter().map(|(name, bytes)| (name, thread::spawn(move || exchange(address, &bytes)))).collect();
    let failures: Vec<_> = ends
        .into_iter()
        .map(|(name, end)| (name, end.join().unwrap()))
        .filter(|(_, end)| *end != (Vec::new(), End::Fin))
        .map(|(name, (got, end))| format!("{name}: {end:?} after {}", shown(&got)))
        .collect();
    assert_none(&failures);
    assert_eq!(Client::connect(program.http()).get(SERVED, "/").status, 200);
    assert_eq!(Tls::trusting(program).get(program.https(), SERVED, SERVED).status, 200);
}

#[test]
fn clients_without_the_secret_get_no_byte() {
    let backend = Backend::answering("");
    let program = Start::new().route(SERVED, &backend).flags(&["--silence-deadline", "1h"]).run();
    let trusting = Tls::trusting(&program);
    let served = vec![
        ("a served name", trusting.hello(SERVED)),
        ("a served name, h2", trusting.clone().alpn(&["h2"]).hello(SERVED)),
        ("a served name, TLS 1.2", trusting.clone().versions(&[&TLS12]).hello(SERVED)),
        ("a served name in many records", cut(&trusting.hello(SERVED), 1)),
        ("a served host in plain HTTP", get(SERVED, "/").into_bytes()),
    ];
    assert_silent(&program, [names_nothing(), served].concat());
}

#[test]
fn a_client_that_stalls_gets_nothing_at_the_deadline() {
    let backend = Backend::answering("");
    let program = Start::new().route(SERVED, &backend).flags(&["--silence-deadline", "1s"]).run();
    assert_silent(&program, unfinished());
}
