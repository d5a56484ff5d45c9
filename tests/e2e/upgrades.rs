//! Upgrades: a tunnel once the backend has accepted, and not before.

use std::io::{Read, Write};

use tungstenite::{Message, WebSocket};

use crate::support::{Backend, Client, End, Program, Start, backend::ok, tls::Tls};

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

/// More than fits into any buffer on the way.
const MESSAGES: usize = 10_000;

pub fn websocket_echo() -> Backend {
    Backend::start(|connection| {
        let mut socket = tungstenite::accept(connection).unwrap();
        while let Ok(message) = socket.read() {
            if !message.is_close() {
                socket.send(message).unwrap();
            }
        }
    })
}

pub fn exchange_messages(mut socket: WebSocket<impl Read + Write>) {
    for batch in 0..MESSAGES / 100 {
        let text = |number| format!("message {batch} {number} {}", "x".repeat(number));
        for number in 0..100 {
            socket.write(Message::text(text(number))).unwrap();
        }
        socket.flush().unwrap();
        for number in 0..100 {
            assert_eq!(socket.read().unwrap(), Message::text(text(number)));
        }
    }
    socket.close(None).unwrap();
    // The reply to the close, then the end.
    assert!(socket.read().unwrap().is_close());
    assert!(socket.read().is_err());
}

#[test]
fn a_websocket_works_over_http() {
    let backend = websocket_echo();
    let program = Start::new().route("a.test", &backend).run();
    let stream = Client::connect(program.http()).stream;
    let (socket, response) = tungstenite::client("ws://a.test/chat", stream).unwrap();
    assert_eq!(response.status().as_u16(), 101);
    exchange_messages(socket);
}

#[test]
fn a_websocket_works_over_https() {
    let backend = websocket_echo();
    let program = Start::new().route("a.test", &backend).run();
    let stream = Tls::trusting(&program).connect(program.https(), "a.test").unwrap().stream;
    let (socket, _) = tungstenite::client("wss://a.test/chat", stream).unwrap();
    exchange_messages(socket);
}

/// A backend that echoes bytes once it has switched.
fn echo() -> (Program, Backend) {
    let backend = Backend::start(|connection| {
        connection.request().unwrap();
        connection.send(SWITCH);
        while let Some(byte) = connection.take(1) {
            connection.send(byte);
        }
        connection.send("end");
    });
    (Start::new().route("a.test", &backend).run(), backend)
}

#[test]
fn each_side_can_close_before_the_other() {
    let (program, backend) = echo();
    let mut client = Client::connect(program.http());
    client.send(UPGRADE);
    let response = client.head();
    assert_eq!((response.status, response.field("upgrade")), (101, Some("echo")));
    client.send("abc");
    assert_eq!(client.take(3), b"abc");
    client.finish_sending();
    assert_eq!(client.end(), (b"end".to_vec(), End::Fin));
    backend.wait_for_end();
}

#[test]
fn bytes_after_the_request_belong_to_the_tunnel() {
    let (program, _backend) = echo();
    let mut client = Client::connect(program.http());
    client.send(format!("{UPGRADE}early"));
    assert_eq!(client.head().status, 101);
    assert_eq!(client.take(5), b"early");
}

#[test]
fn if_the_backend_ignores_the_upgrade_its_response_is_forwarded() {
    let backend = Backend::answering("no upgrade");
    let program = Start::new().route("a.test", &backend).run();
    let mut client = Client::connect(program.http());
    for _ in 0..2 {
        client.send(UPGRADE);
        let response = client.response();
        assert_eq!((response.status, response.text()), (200, "no upgrade"));
    }
    assert!(backend.requests().iter().all(|request| request.field("upgrade") == "echo"));
}

#[test]
fn an_upgrade_with_a_body_is_not_forwarded() {
    let backend = Backend::answering("no upgrade");
    let program = Start::new().route("a.test", &backend).run();
    let mut client = Client::connect(program.http());
    for (fields, body) in [("Content-Length: 3", "abc"), ("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n\r\n")] {
        let upgrade = UPGRADE.replacen("GET", "POST", 1).replacen("\r\n\r\n", "", 1);
        client.send(format!("{upgrade}\r\n{fields}\r\n\r\n{body}"));
        assert_eq!(client.response().text(), "no upgrade");
    }
    let requests = backend.requests();
    assert!(requests.iter().all(|request| request.all("upgrade").is_empty() && request.body == b"abc"), "{requests:?}");
}

#[test]
fn a_backend_may_require_an_upgrade() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.send("HTTP/1.1 426 Upgrade Required\r\nConnection: upgrade\r\nUpgrade: echo\r\n");
            connection.send("Content-Length: 0\r\n\r\n");
        }
    });
    let program = Start::new().route("a.test", &backend).run();
    let mut client = Client::connect(program.http());
    for _ in 0..2 {
        let response = client.get("a.test", "/");
        assert_eq!((response.status, response.field("upgrade")), (426, Some("echo")));
    }
}

#[test]
fn upgrades_that_would_hide_http_are_not_forwarded() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            let upgrade = !request.all("upgrade").is_empty();
            connection.send(ok(if upgrade { "upgrade" } else { "no upgrade" }));
        }
    });
    let program = Start::new().route("a.test", &backend).run();
    for (protocol, expected) in [
        ("echo", "upgrade"),
        ("h2c", "no upgrade"),
        ("H2C", "no upgrade"),
        ("h2c, websocket", "no upgrade"),
        ("TLS/1.2", "no upgrade"),
        ("HTTP/2.0", "no upgrade"),
    ] {
        let mut client = Client::connect(program.http());
        client.send(UPGRADE.replace("echo", protocol));
        assert_eq!(client.response().text(), expected, "{protocol}");
    }
}

#[test]
fn an_unsolicited_101_is_an_error() {
    for (name, request, response) in [
        ("no upgrade", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", SWITCH.to_owned()),
        ("another protocol", UPGRADE, SWITCH.replace("echo", "other")),
        ("no protocol", UPGRADE, SWITCH.replace("Upgrade: echo\r\n", "")),
    ] {
        let backend = Backend::start(move |connection| {
            connection.request().unwrap();
            connection.send(&response);
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled");
            connection.drain();
        });
        let program = Start::new().route("a.test", &backend).run();
        let mut client = Client::connect(program.http());
        client.send(request);
        assert_eq!(client.response().status, 502, "{name}");
        // The backend connection is not reused either.
        backend.wait_for_end();
    }
}
