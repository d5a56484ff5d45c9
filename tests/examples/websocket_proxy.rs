use std::{net::TcpStream, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Version};
use http_body_util::Empty;
use hyper::ext::Protocol;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tungstenite::Message;

use crate::program::Program;

#[tokio::test]
async fn a_request_without_an_upgrade_gets_a_response_and_other_hosts_get_nothing() {
    let program = Program::start("websocket_proxy");
    let answer = program.answer_to("GET / HTTP/1.1\r\nHost: chat.localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("ask for an upgrade\n"), "{answer}");
    let upgrade = "GET / HTTP/1.1\r\nHost: other.localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(program.answer_to(upgrade).await, "");
}

#[test]
fn a_websocket_over_http1_gets_an_echo() {
    let program = Program::start("websocket_proxy");
    let stream = TcpStream::connect(program.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let (mut socket, response) = tungstenite::client("ws://chat.localhost/", stream).unwrap();
    assert_eq!(response.status(), 101);
    socket.send(Message::text("hello")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("hello"));
    socket.close(None).unwrap();
    assert!(socket.read().unwrap().is_close());
}

#[tokio::test]
async fn a_websocket_over_http2_gets_an_echo() {
    let program = Program::start("websocket_proxy");
    let io = TokioIo::new(program.connect().await);
    let (mut requests, connection) =
        hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    // Names the host. Before that, the server sends nothing, not even that it supports extended CONNECT.
    let request = Request::get("http://chat.localhost/").version(Version::HTTP_2).body(Empty::new()).unwrap();
    assert_eq!(requests.send_request(request).await.unwrap().status(), 200);

    let request = Request::builder()
        .method(Method::CONNECT)
        .uri("http://chat.localhost/")
        .version(Version::HTTP_2)
        .header("sec-websocket-version", "13")
        .extension(Protocol::from_static("websocket"))
        .body(Empty::new())
        .unwrap();
    let response = requests.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    let mut tunnel = TokioIo::new(hyper::upgrade::on(response).await.unwrap());
    // A text message of five bytes, masked with zeros. The echo has no mask.
    tunnel.write_all(b"\x81\x85\0\0\0\0hello").await.unwrap();
    let mut echo = [0; 7];
    tunnel.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"\x81\x05hello");
}
