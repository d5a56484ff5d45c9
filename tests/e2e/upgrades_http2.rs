//! Upgrades over HTTP/2 (RFC 8441): a WebSocket reaches its backend over any combination of versions.

use std::net::TcpStream;

use tungstenite::{WebSocket, protocol::Role};

use crate::{
    support::{
        Backend, Client, End, Program, Start,
        backend::ok,
        client::exchange,
        h2::{self, Answer, HEADERS, SETTINGS},
        h2_stream::Stream,
        tls::{Tls, TlsStream},
    },
    upgrades::{exchange_messages, websocket_echo},
};

const ACK: u8 = 1;
/// `SETTINGS_ENABLE_CONNECT_PROTOCOL`: 1.
const UPGRADES: &[u8] = &[0, 8, 0, 0, 0, 1];

/// An HTTP/2 backend without TLS that responds to each request with `status`. After a 200, it echoes a WebSocket.
fn http2_backend(status: &'static str) -> Backend {
    Backend::start(move |connection| {
        if connection.take(h2::PREFACE.len()).as_deref() != Some(h2::PREFACE) {
            return;
        }
        let mut client = Client::new(connection);
        client.send(h2::frame(SETTINGS, 0, 0, UPGRADES));
        client.send(h2::frame(SETTINGS, ACK, 0, &[]));
        while let Some(frame) = client.frame() {
            if frame.kind != HEADERS {
                continue;
            }
            let end = status != "200";
            client.send(h2::headers(frame.stream, &[(":status", status.as_bytes())], end));
            if !end {
                assert!(!frame.ends_stream());
                let mut socket = WebSocket::from_raw_socket(Stream::new(client, frame.stream), Role::Server, None);
                while let Ok(message) = socket.read() {
                    if !message.is_close() {
                        socket.send(message).unwrap();
                    }
                }
                let stream = socket.get_mut();
                stream.finish_sending();
                // Until the program closes the connection.
                while stream.client.frame().is_some() {}
                return;
            }
        }
    })
}

/// A program that serves `a.test` from `backend`.
fn start(backend: &Backend, scheme: &str) -> Program {
    Start::new().flags(&["--route", &format!("a.test={scheme}{}", backend.address)]).run()
}

fn connect(program: &Program) -> Client<TlsStream> {
    let mut client = Tls::trusting(program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send(h2::opening());
    let settings = client.frames_until(|frame| frame.kind == SETTINGS).pop().unwrap();
    assert!(settings.payload.chunks(6).any(|setting| setting == UPGRADES));
    client
}

/// Opens a WebSocket as an HTTP/2 client.
fn http2_socket(program: &Program) -> WebSocket<Stream<TlsStream>> {
    let mut client = connect(program);
    client.send(h2::headers(1, &h2::connect("websocket", "a.test"), false));
    assert_eq!(client.answer(1), Answer::Status(200));
    WebSocket::from_raw_socket(Stream::new(client, 1), Role::Client, None)
}

/// Opens a WebSocket as an HTTP/1.1 client, and checks `Sec-WebSocket-Accept`.
fn http1_socket(program: &Program) -> WebSocket<TcpStream> {
    let stream = Client::connect(program.http()).stream;
    tungstenite::client("ws://a.test/chat", stream).unwrap().0
}

#[test]
fn a_websocket_works_from_http2_to_http1() {
    let backend = websocket_echo();
    let program = start(&backend, "");
    exchange_messages(http2_socket(&program));
    let connections = backend.wait_for_end();
    let head = String::from_utf8_lossy(&connections[0].bytes).to_lowercase();
    for line in
        ["get /chat http/1.1\r\n", "host: a.test\r\n", "sec-websocket-version: 13\r\n", "x-forwarded-proto: https\r\n"]
    {
        assert!(head.contains(line), "{line}");
    }
}

#[test]
fn a_websocket_works_from_http1_to_http2() {
    let backend = http2_backend("200");
    exchange_messages(http1_socket(&start(&backend, "h2c://")));
}

#[test]
fn a_websocket_works_from_http2_to_http2() {
    let backend = http2_backend("200");
    exchange_messages(http2_socket(&start(&backend, "h2c://")));
}

#[test]
fn a_websocket_works_through_another_program_over_http2() {
    let backend = websocket_echo();
    let inner = Start::new().route("a.test", &backend).flags(&["--http-h2c", "open"]).run();
    let route = format!("a.test=h2c://{}", inner.http());
    let outer = Start::new().flags(&["--route", &route]).run();
    exchange_messages(http1_socket(&outer));
    exchange_messages(http2_socket(&outer));
}

#[test]
fn a_refusal_reaches_the_client() {
    let forbidding = || {
        Backend::start(|connection| {
            while connection.request().is_some() {
                connection.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
            }
        })
    };
    for (name, backend, scheme) in [("to HTTP/1.1", forbidding(), ""), ("to HTTP/2", http2_backend("403"), "h2c://")] {
        let program = start(&backend, scheme);
        let stream = Client::connect(program.http()).stream;
        let error = tungstenite::client("ws://a.test/chat", stream).unwrap_err();
        let tungstenite::HandshakeError::Failure(tungstenite::Error::Http(response)) = error else {
            panic!("{name}: {error}");
        };
        assert_eq!(response.status().as_u16(), 403, "{name}");
        let mut client = connect(&program);
        // The connection stays usable.
        for stream in [1, 3] {
            client.send(h2::headers(stream, &h2::connect("websocket", "a.test"), false));
            assert_eq!(client.answer(stream), Answer::Status(403), "{name}");
        }
    }
}

#[test]
fn a_success_without_a_tunnel_is_an_error() {
    let ignoring = Backend::answering("no upgrade");
    let lying = Backend::start(|connection| {
        connection.request().unwrap();
        connection.send(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        );
        connection.drain();
    });
    for (name, backend, protocol, expected) in [
        ("an ordinary response", &ignoring, "websocket", 501),
        ("another key", &lying, "websocket", 502),
        ("a protocol that would hide HTTP", &ignoring, "h2c", 501),
        ("an invalid protocol", &ignoring, "a, b", 400),
    ] {
        let program = start(backend, "");
        let mut client = connect(&program);
        client.send(h2::headers(1, &h2::connect(protocol, "a.test"), false));
        assert_eq!(client.answer(1), Answer::Status(expected), "{name}");
    }
    lying.wait_for_end();
    // The last two did not reach the backend.
    assert_eq!(ignoring.requests().len(), 1);
}

#[test]
fn a_plain_connect_is_rejected() {
    let backend = Backend::answering("no");
    let program = start(&backend, "");
    let mut client = connect(&program);
    client.send(h2::headers(1, &[(":method", b"CONNECT"), (":authority", b"a.test")], false));
    assert_eq!(client.answer(1), Answer::Status(405));
    assert!(backend.connections().is_empty());
}

#[test]
fn only_the_host_of_the_connection_can_be_upgraded() {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.send(ok("no"));
        }
    });
    let program = Start::new()
        .route("a.test", &backend)
        .route("b.test", &backend)
        .flags(&["--http-h2c", "silent", "--silence-deadline", "1h"])
        .run();
    let upgrade = |host| h2::headers(1, &h2::connect("websocket", host), false);
    let mut client = connect(&program);
    client.send(upgrade("b.test"));
    assert_eq!(client.answer(1), Answer::Status(421));
    let mut client = connect(&program);
    client.send(upgrade("nope.test"));
    assert_eq!(client.answer(1), Answer::GoAway);
    // A client that has named no served host gets nothing.
    for host in ["nope.test", "127.0.0.1", "user@a.test"] {
        let bytes = [h2::opening(), upgrade(host)].concat();
        assert_eq!(exchange(program.http(), &bytes), (Vec::new(), End::Fin), "{host}");
    }
    let mut client = Client::connect(program.http());
    client.send([h2::opening(), upgrade("a.test")].concat());
    assert_eq!(client.answer(1), Answer::Status(501));
    assert_eq!(backend.requests().len(), 1);
}

/// hyper closes a connection on which a CONNECT has a length, even if other streams are open.
#[test]
fn a_connect_with_a_length_never_reaches_the_backend() {
    let backend = Backend::answering("no");
    let program = Start::new().route("a.test", &backend).flags(&["--http-h2c", "silent"]).run();
    for host in ["a.test", "nope.test"] {
        let fields = [&h2::connect("websocket", host)[..], &[("content-length", b"1000000")]].concat();
        // As much as the windows allow, so that some of it stays unread.
        let more = |frames| h2::data(1, &[b'x'; 16 * 1024], false).repeat(frames);
        let bytes = [h2::opening(), h2::headers(1, &fields, false), more(3)].concat();
        assert_eq!(exchange(program.http(), &bytes), (Vec::new(), End::Fin), "{host}");
        let mut client = connect(&program);
        client.send([h2::headers(1, &fields, false), more(15)].concat());
        assert!(!matches!(client.answer(1), Answer::Status(_)), "{host}");
        assert_ne!(client.end().1, End::Reset, "{host}");
    }
    assert!(backend.connections().is_empty());
}
