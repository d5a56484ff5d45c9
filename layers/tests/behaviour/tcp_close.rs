//! Over TCP, connections end with a FIN. A RST would reveal the server, and destroy a response in flight.

use http::{Request, Response};
use pmesh_layers::{
    body::RequestBody,
    conn::ConnInfo,
    serve::{HttpServer, Protocol},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tower::{BoxError, service_fn};

use super::support::{
    client::{Stack, echo, gated},
    http2::{self, GOAWAY},
};

/// The bytes received by a client that sends `first` and `rest`, of which the server reads only a part.
async fn exchange(protocol: Protocol, stack: Stack, first: &[u8], rest: &[u8]) -> std::io::Result<Vec<u8>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    client.write_all(&[first, rest].concat()).await.unwrap();
    let info = ConnInfo::plain(peer);
    let ended = tokio::spawn(async move { HttpServer::new().serve(server, info, protocol, stack).await });
    let mut received = Vec::new();
    client.read_to_end(&mut received).await?;
    client.shutdown().await?;
    ended.await.unwrap();
    // A RST after the FIN does not fail the read.
    client.take_error()?.map_or(Ok(received), Err)
}

#[tokio::test]
async fn unread_input_causes_no_rst() {
    let go_away = http2::frame(GOAWAY, 0, 0, &[0; 8]);
    let cases: [(&str, Protocol, Vec<u8>); 4] = [
        ("unserved", Protocol::Http1, b"GET / HTTP/1.1\r\nHost: other\r\n\r\n".to_vec()),
        ("garbage", Protocol::Http1, b"\0".to_vec()),
        ("unserved over HTTP/2", Protocol::Http2, [http2::hello(), http2::get(1, "other")].concat()),
        ("an HTTP/2 client that sends GOAWAY", Protocol::Http2, [http2::hello(), go_away].concat()),
    ];
    for (name, protocol, request) in cases {
        let received = exchange(protocol, echo(), &request, &[b'x'; 200_000]).await;
        assert!(matches!(received.as_deref(), Ok([])), "{name}: {received:?}");
    }
}

#[tokio::test]
async fn an_unread_request_body_does_not_destroy_the_response() {
    let refuse = service_fn(async |_: Request<RequestBody>| {
        Ok::<_, BoxError>(Response::builder().status(413).body("x".repeat(10_000)).unwrap())
    });
    let request = b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10000000\r\n\r\n";
    let received = exchange(Protocol::Http1, gated(refuse), request, &[b'x'; 500_000]).await.unwrap();
    let received = String::from_utf8(received).unwrap();
    assert!(received.starts_with("HTTP/1.1 413") && received.ends_with("xxx"), "{received}");
}

#[tokio::test]
async fn an_http2_flood_is_not_read_to_its_end() {
    // Small buffers, so that what was sent is not far ahead of what was read.
    let (inbound, outbound) = (TcpSocket::new_v4().unwrap(), TcpSocket::new_v4().unwrap());
    inbound.set_recv_buffer_size(64 * 1024).unwrap();
    outbound.set_send_buffer_size(64 * 1024).unwrap();
    inbound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = inbound.listen(1).unwrap();
    let mut client = outbound.connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, peer) = listener.accept().await.unwrap();
    let info = ConnInfo::tls(peer, "a.example".parse().unwrap());
    let ended = tokio::spawn(async move { HttpServer::new().serve(server, info, Protocol::Http2, echo()).await });
    client.write_all(&http2::hello()).await.unwrap();
    // Frames that get no reply, so nothing has to be read meanwhile.
    let flood = http2::frame(99, 0, 0, &[0; 55]).repeat(1024);
    let mut sent = 0;
    while client.write_all(&flood).await.is_ok() {
        sent += flood.len();
    }
    assert!(sent < 8 * 1024 * 1024, "{sent}");
    ended.await.unwrap();
}
