use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{program::Program, tls};

fn get(host: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("https://{host}/")).body(Empty::new()).unwrap()
}

#[tokio::test]
async fn over_http2_each_name_needs_its_own_connection() {
    let program = Program::start("on_axum");
    for (name, other) in [("one.example", "two.example"), ("two.example", "one.example")] {
        let tls = tls::handshake(program.connect().await, name, "h2").await.unwrap();
        assert_eq!(tls.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(tls)).await.unwrap();
        let connection = tokio::spawn(connection);

        let response = sender.send_request(get(name)).await.unwrap();
        let text = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(text, format!("hello from {name}\n"));

        let misdirected = sender.send_request(get(other)).await.unwrap();
        assert_eq!(misdirected.status(), StatusCode::MISDIRECTED_REQUEST);
        assert_eq!(sender.send_request(get(name)).await.unwrap().status(), StatusCode::OK);

        assert!(sender.send_request(get("other.example")).await.is_err());
        // That closed the connection. How hyper reports it does not matter.
        let _ = connection.await.unwrap();
        assert!(sender.send_request(get(name)).await.is_err());
    }
}

#[tokio::test]
async fn over_http1_each_name_needs_its_own_connection() {
    let program = Program::start("on_axum");
    let mut tls = tls::handshake(program.connect().await, "one.example", "http/1.1").await.unwrap();
    for (host, status, end) in [
        ("one.example", "HTTP/1.1 200 OK\r\n", "hello from one.example\n"),
        ("two.example", "HTTP/1.1 421 Misdirected Request\r\n", "\r\n\r\n421 Misdirected Request\n"),
    ] {
        tls.write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        while !answer.ends_with(end) {
            answer.push(char::from(tls.read_u8().await.unwrap()));
        }
        assert!(answer.starts_with(status), "{answer}");
    }
    tls.write_all(b"GET / HTTP/1.1\r\nHost: other.example\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let end = tls.read_to_end(&mut rest).await.unwrap_err();
    assert_eq!((end.kind(), rest.as_slice()), (std::io::ErrorKind::UnexpectedEof, &b""[..]));
}

#[tokio::test]
async fn a_handshake_without_a_served_name_fails() {
    let program = Program::start("on_axum");
    for name in ["other.example", "127.0.0.1"] {
        let error = tls::handshake(program.connect().await, name, "h2").await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{name}: {error}");
    }
    assert_eq!(program.answer_to("GET / HTTP/1.1\r\nHost: one.example\r\n\r\n").await, "");
}
