//! A connection buffers a bounded amount for a peer that does not read.

use std::{net::SocketAddr, time::Duration};

use pmesh_layers::{
    conn::ConnInfo,
    pool::Pool,
    serve::{HttpServer, Protocol},
    silence::OpenGateLayer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream},
    time::timeout,
};
use tower::ServiceBuilder;

use super::support::{
    backend::{Backend, Exchange, backend_behind},
    http2::{self, DATA, HEADERS, SETTINGS},
};

/// Pipe sizes on the side that does not read, and on the side that sends as fast as it can.
const SMALL: usize = 16 * 1024;
const LARGE: usize = 1024 * 1024;
/// The limit in each direction: two reads that wait to be written, one between the connections, and one being parsed.
const BUFFERED: usize = 256 * 1024;
const BODY: usize = 100 * LARGE;

fn serve(protocol: Protocol, client_pipe: usize, backend_pipe: usize) -> (DuplexStream, Backend) {
    let (connector, backend) = backend_behind(backend_pipe);
    let pool = Pool::new(connector, "http://backend".parse().unwrap());
    let stack = ServiceBuilder::new().layer(OpenGateLayer::new()).service(pool);
    let (client, server) = tokio::io::duplex(client_pipe);
    let info = ConnInfo::plain(SocketAddr::from(([192, 0, 2, 1], 40000)));
    tokio::spawn(async move { HttpServer::new().serve(server, info, protocol, stack).await });
    (client, backend)
}

/// Writes until the peer stops reading, with tokio's clock paused. Returns how much was written.
async fn fill(io: &mut (impl AsyncWrite + Unpin)) -> usize {
    let (piece, mut written) = (vec![b'x'; LARGE], 0);
    while let Ok(count) = timeout(Duration::from_secs(1), io.write(&piece)).await {
        written += count.unwrap();
    }
    written
}

async fn respond(connection: &mut Exchange, length: usize) {
    connection.head().await;
    connection.send(&format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n")).await;
}

/// Sends a response that is large enough for the connection to grow its read buffer.
async fn respond_whole(mut connection: Exchange) -> Exchange {
    respond(&mut connection, 4 * LARGE).await;
    connection.0.write_all(&vec![b'x'; 4 * LARGE]).await.unwrap();
    connection
}

#[tokio::test(start_paused = true)]
async fn an_unread_response_is_buffered_only_up_to_the_limit() {
    let (mut client, mut backend) = serve(Protocol::Http1, SMALL, LARGE);
    let get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    client.write_all(get).await.unwrap();
    let first = tokio::spawn(respond_whole(backend.accept().await));
    while client.read_u8().await.unwrap() != b'x' {}
    client.read_exact(&mut vec![0; 4 * LARGE - 1]).await.unwrap();
    let mut connection = first.await.unwrap();
    client.write_all(get).await.unwrap();
    respond(&mut connection, BODY).await;
    let written = fill(&mut connection.0).await;
    assert!(written <= SMALL + LARGE + BUFFERED, "{} KiB", written / 1024);
}

#[tokio::test(start_paused = true)]
async fn a_response_without_a_window_is_buffered_only_up_to_the_limit() {
    let (mut client, mut backend) = serve(Protocol::Http2, LARGE, LARGE);
    // SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113, 6.5.2).
    let no_window = http2::frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    client.write_all(&[http2::hello(), no_window, http2::get(1, "a")].concat()).await.unwrap();
    let window = (1_u32 << 30).to_be_bytes();
    client.write_all(&[http2::frame(8, 0, 0, &window), http2::frame(8, 0, 1, &window)].concat()).await.unwrap();
    let first = tokio::spawn(respond_whole(backend.accept().await));
    http2::frames_until(&mut client, |frame| frame.kind == DATA && frame.flags & 1 == 1).await;
    let mut connection = first.await.unwrap();
    client.write_all(&http2::get(3, "a")).await.unwrap();
    respond(&mut connection, BODY).await;
    http2::frames_until(&mut client, |frame| frame.kind == HEADERS).await;
    let written = fill(&mut connection.0).await;
    assert!(written <= LARGE + BUFFERED, "{} KiB", written / 1024);
}

#[tokio::test(start_paused = true)]
async fn an_unread_request_is_buffered_only_up_to_the_limit() {
    let (mut client, mut backend) = serve(Protocol::Http1, LARGE, SMALL);
    client.write_all(format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {BODY}\r\n\r\n").as_bytes()).await.unwrap();
    let mut connection = backend.accept().await;
    connection.head().await;
    let written = fill(&mut client).await;
    assert!(written <= LARGE + SMALL + BUFFERED, "{} KiB", written / 1024);
}
