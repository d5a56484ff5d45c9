//! `rate_limit` and `max_in_flight`, for clients with HTTP/1.1 and HTTP/2, with and without TLS.

use std::{
    sync::{Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

use tungstenite::Message;

use super::{
    answers::{Got, WAYS, Way, fetch, start, upstream},
    upgrades::websocket_echo,
};
use crate::support::{Backend, Client, PATIENCE, Program, backend::ok, client::get};

const HOST: &str = "example.com";

fn ask(program: &Program, way: Way, path: &str, headers: &[(&str, &str)]) -> Got {
    fetch(program, way, "GET", &format!("{HOST}{path}"), headers).unwrap()
}

#[track_caller]
fn assert_limited(got: &Got) {
    assert_eq!((got.status, &*got.body), (429, "429 Too Many Requests\n"));
    let [seconds] = got.header("retry-after")[..] else { panic!("{got:?}") };
    // With two requests an hour, one comes back after half an hour, less the time since the first request.
    assert!((1700..=1800).contains(&seconds.parse::<u32>().unwrap()), "{seconds}");
}

#[test]
fn each_client_has_a_limit() {
    let backend = Backend::answering("hello");
    let config = format!(
        "trusted_proxies = [\"127.0.0.1\"]\n\
         [[routes]]\nhost = \"{HOST}\"\n{}rate_limit = {{ requests = 2, per = \"1h\" }}\n\
         response_headers = {{ x-frame-options = \"DENY\" }}\n\
         [[routes.routes]]\nprefix = \"/own\"\n\
         [[routes.routes]]\nprefix = \"/off\"\nrate_limit = false\n",
        upstream(&backend)
    );
    let program = start(&config);
    let from =
        |way, path, client| ask(&program, way, path, &[("x-forwarded-for", client), ("x-forwarded-proto", "https")]);
    // One bucket for all ways to connect, and all workers.
    for (way, client) in WAYS.into_iter().zip(["192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::ffff:1"]) {
        assert_eq!(from(way, "/", client).status, 200, "{way:?}");
    }
    for way in WAYS {
        for client in ["192.0.2.1", "2001:db8::2"] {
            let got = from(way, "/", client);
            assert_limited(&got);
            assert_eq!(got.header("x-frame-options"), ["DENY"]);
            assert_eq!(from(way, "/off", client).status, 200);
        }
    }
    assert_eq!(from(Way::Http, "/", "192.0.2.2").status, 200);
    assert_eq!(from(Way::Http, "/", "2001:db8:0:1::1").status, 200);
    // A child is a route of its own.
    assert_eq!(from(Way::Http, "/own", "192.0.2.1").status, 200);
    // Rejected requests reach no backend.
    assert_eq!(backend.requests().len(), 4 + 8 + 3);
}

#[test]
fn requests_are_counted_by_header_or_all_together() {
    let backend = Backend::answering("hello");
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{}rate_limit = {{ requests = 2, per = \"1h\", key = \"header:X-Api-Key\" }}\n\
         [[routes.routes]]\nprefix = \"/fixed\"\nrespond = 204\nrate_limit = {{ key = \"route\" }}\n\
         [[routes.routes]]\nprefix = \"/moved\"\nredirect = \"/\"\nrate_limit = {{ key = \"route\", burst = 1 }}\n",
        upstream(&backend)
    );
    let program = start(&config);
    for headers in [&[("x-api-key", "a")][..], &[("x-api-key", "b")], &[]] {
        for (index, way) in WAYS.into_iter().enumerate() {
            let got = ask(&program, way, "/", headers);
            if index < 2 { assert_eq!(got.status, 200, "{headers:?}") } else { assert_limited(&got) }
        }
    }
    for (path, statuses) in [("/fixed", [204, 204, 429, 429]), ("/moved", [308, 429, 429, 429])] {
        for (way, expected) in WAYS.into_iter().zip(statuses) {
            let got = ask(&program, way, path, &[("x-api-key", "other")]);
            assert_eq!(got.status, expected, "{way:?} {path}");
        }
    }
}

/// A backend that sends the last byte of each body when signalled.
pub fn slow_backend() -> (Backend, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let backend = Backend::start(move |connection| {
        while let Some(request) = connection.request() {
            if request.target == "/fast" {
                connection.send(ok("fast"));
                continue;
            }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n1");
            // An error means that the test is over.
            let _ = released.lock().unwrap().recv();
            connection.send("2");
        }
    });
    (backend, release)
}

/// Sends requests until one gets this status. The program may count a response a moment longer than the client sees it.
#[track_caller]
fn wait_for(program: &Program, path: &str, status: u16) {
    let start = Instant::now();
    while ask(program, Way::Http, path, &[]).status != status {
        assert!(start.elapsed() < PATIENCE, "{path} never gets {status}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_request_is_in_flight_until_its_body_has_ended() {
    let (backend, release) = slow_backend();
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{}max_in_flight = 2\n[[routes.routes]]\nprefix = \"/free\"\nmax_in_flight = false\n",
        upstream(&backend)
    );
    let program = start(&config);
    let mut clients = [(); 2].map(|()| {
        let mut client = Client::connect(program.http());
        client.send(get(HOST, "/slow"));
        assert_eq!(client.head().status, 200);
        assert_eq!(client.take(1), b"1");
        client
    });
    for way in WAYS {
        let got = ask(&program, way, "/fast", &[]);
        assert_eq!((got.status, &*got.body), (503, "503 Service Unavailable\n"), "{way:?}");
        assert_eq!(got.header("retry-after"), ["1"], "{way:?}");
    }
    release.send(()).unwrap();
    release.send(()).unwrap();
    for client in &mut clients {
        assert_eq!(client.take(1), b"2");
    }
    wait_for(&program, "/fast", 200);
    // Connections stay open, but requests that have ended do not count.
    for _ in 0..5 {
        assert_eq!(clients[0].get(HOST, "/fast").status, 200);
    }
    // Requests of clients that have left do not count, either.
    for _ in 0..2 {
        let mut client = Client::connect(program.http());
        client.send(get(HOST, "/slow"));
        assert_eq!(client.head().status, 200);
    }
    wait_for(&program, "/fast", 200);
    // Rejected requests are not worth a warning.
    assert!(!program.log().iter().any(|line| line.contains(" WARN ")), "{:?}", program.log());
}

#[test]
fn a_tunnel_is_in_flight_until_it_ends() {
    let backend = websocket_echo();
    let fast = Backend::answering("hello");
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{}max_in_flight = 1\n[[routes.routes]]\nprefix = \"/other\"\n{}",
        upstream(&backend),
        upstream(&fast)
    );
    let program = start(&config);
    let open = || {
        let stream = Client::connect(program.http()).stream;
        tungstenite::client(format!("ws://{HOST}/chat"), stream).ok().map(|(socket, _)| socket)
    };
    let mut socket = open().unwrap();
    for _ in 0..2 {
        socket.send(Message::text("hello")).unwrap();
        assert_eq!(socket.read().unwrap(), Message::text("hello"));
        assert!(open().is_none());
    }
    assert_eq!(ask(&program, Way::Http, "/", &[]).status, 503);
    assert_eq!(ask(&program, Way::Http, "/other", &[]).status, 200);
    socket.close(None).unwrap();
    drop(socket);
    let start = Instant::now();
    while open().is_none() {
        assert!(start.elapsed() < PATIENCE, "the tunnel stays in flight");
        thread::sleep(Duration::from_millis(10));
    }
}
