//! `[listeners.NAME]`: each port serves its own hosts.

use std::net::SocketAddr;

use crate::support::{
    Backend, Client, End, Program, Start,
    client::{exchange, get},
    h2::{self, Answer},
    tls::{Tls, TlsStream},
};

const LISTENERS: &str = "[listeners.federation]\nport = 0\ntls = true\n[listeners.apps]\nport = 0\n";

fn start(listeners: &str, routes: &[String]) -> Program {
    Start::new().config(&format!("{listeners}{}", routes.concat())).run()
}

fn route(host: &str, listeners: &str, backend: &Backend) -> String {
    format!("[[routes]]\nhost = \"{host}\"\nupstream = \"{}\"\n{listeners}\n", backend.address)
}

fn is_served(address: SocketAddr, host: &str, tls: Option<&Tls>) -> bool {
    let response = match tls {
        Some(tls) => match tls.connect(address, host) {
            Ok(mut client) => client.get(host, "/"),
            Err(_) => {
                assert_eq!(exchange(address, &tls.hello(host)), (Vec::new(), End::Fin), "{host}");
                return false;
            }
        },
        None => {
            let (got, end) =
                exchange(address, format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes());
            assert_eq!(end, End::Fin, "{host}");
            return !got.is_empty();
        }
    };
    assert_eq!(response.status, 200, "{host}");
    true
}

/// Sends a request. Returns everything that arrives until the connection closes.
fn rest(mut client: Client<TlsStream>, request: &[u8]) -> Vec<u8> {
    client.send(request);
    client.end().0
}

#[test]
fn a_host_gets_silence_on_listeners_that_do_not_serve_it() {
    let backend = Backend::answering("hello");
    let program = start(
        LISTENERS,
        &[
            route("plain.test", "", &backend),
            route("*.matrix.test", "listeners = [\"federation\"]", &backend),
            route("app.test", "listeners = \"apps\"", &backend),
            route("both.test", "listeners = [\"https\", \"federation\"]", &backend),
        ],
    );
    let tls = Tls::trusting(&program);
    for (host, served_on) in [
        ("plain.test", &["http", "https"][..]),
        ("x.matrix.test", &["federation"]),
        ("app.test", &["apps"]),
        ("both.test", &["https", "federation"]),
        ("nope.test", &[]),
    ] {
        for (listener, tls) in [("http", None), ("https", Some(&tls)), ("apps", None), ("federation", Some(&tls))] {
            let is_served = is_served(program.address(listener), host, tls);
            assert_eq!(is_served, served_on.contains(&listener), "{host} on {listener}");
        }
    }
}

#[test]
fn a_host_of_another_listener_gets_silence_on_an_open_connection() {
    let backend = Backend::answering("hello");
    let program = start(
        LISTENERS,
        &[
            route("plain.test", "", &backend),
            route("matrix.test", "listeners = \"federation\"", &backend),
            route("both.test", "listeners = [\"https\", \"federation\"]", &backend),
        ],
    );
    let tls = Tls::trusting(&program);
    for (listener, here, elsewhere) in
        [("https", "plain.test", "matrix.test"), ("federation", "matrix.test", "plain.test")]
    {
        let connect = |tls: &Tls| tls.connect(program.address(listener), "both.test").unwrap();
        // Served here, but not the name of the handshake (RFC 9110, 15.5.20).
        assert_eq!(connect(&tls).get(here, "/").status, 421, "{listener}");
        assert_eq!(rest(connect(&tls), get(elsewhere, "/").as_bytes()), b"", "{listener}");

        let mut two = connect(&tls.clone().alpn(&["h2"]));
        two.send([h2::opening(), h2::headers(1, &h2::get(here, "/"), true)].concat());
        assert_eq!(two.answer(1), Answer::Status(421), "{listener}");
        two.send(h2::headers(3, &h2::get(elsewhere, "/"), true));
        assert_eq!(two.answer(3), Answer::GoAway, "{listener}");
    }
}

#[test]
fn the_same_path_can_have_a_different_route_on_each_listener() {
    let [http, https, federation] = ["http", "https", "federation"].map(Backend::answering);
    let program = start(
        LISTENERS,
        &[
            route("a.test", "listeners = \"http\"", &http),
            route("a.test", "listeners = \"https\"", &https),
            route("a.test", "listeners = [\"federation\", \"apps\"]", &federation),
        ],
    );
    let tls = Tls::trusting(&program);
    assert_eq!(Client::connect(program.http()).get("a.test", "/").text(), "http");
    assert_eq!(tls.get(program.https(), "a.test", "a.test").text(), "https");
    assert_eq!(tls.get(program.address("federation"), "a.test", "a.test").text(), "federation");
    assert_eq!(Client::connect(program.address("apps")).get("a.test", "/").text(), "federation");
    let forwarded = |backend: &Backend, name: &str| backend.requests().last().unwrap().field(name).to_owned();
    assert_eq!(forwarded(&https, "x-forwarded-proto"), "https");
    assert_eq!(forwarded(&federation, "x-forwarded-proto"), "http");
}

#[test]
fn http2_without_tls_is_set_per_listener() {
    let backend = Backend::answering("hello");
    let listeners = "[listeners.open]\nport = 0\nh2c = \"open\"\n[listeners.quiet]\nport = 0\nh2c = \"silent\"\n";
    let program = start(listeners, &[route("a.test", "listeners = [\"http\", \"open\", \"quiet\"]", &backend)]);
    let connect = |listener: &str, host: &str| {
        let mut client = Client::connect(program.address(listener));
        client.send([h2::opening(), h2::headers(1, &h2::get(host, "/"), true)].concat());
        client
    };
    for listener in ["open", "quiet"] {
        assert_eq!(connect(listener, "a.test").answer(1), Answer::Status(200), "{listener}");
    }
    assert_eq!(connect("http", "a.test").end(), (Vec::new(), End::Fin));
    assert_eq!(connect("quiet", "b.test").end(), (Vec::new(), End::Fin));
    // An open listener sends SETTINGS at once.
    let mut client = Client::connect(program.address("open"));
    client.send(h2::opening());
    assert_eq!(client.frame().unwrap().kind, h2::SETTINGS);
}
