//! Responses that are whole before their requests are: the rest still reaches the backend.

use std::{net::SocketAddr, time::Duration};

use http::Request;
use hyper::body::Incoming;
use pmesh_layers::{
    conn::ConnInfo,
    pool::Pool,
    response_timeout::{ResponseTimeoutLayer, WatchedBody},
    serve::{Ended, HttpServer, Protocol},
    silence::OpenGateLayer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    task::JoinHandle,
};
use tower::ServiceBuilder;

use super::support::{
    backend::{Backend, Exchange, backend, settle},
    http2::{self, DATA, HEADERS},
};

/// Longer than a head may take, and than a backend may leave a request unread.
const PAUSE: Duration = Duration::from_secs(50);
const PARTS: [&str; 4] = ["one..", "two..", "three", "four."];

fn serve(protocol: Protocol) -> (DuplexStream, Backend, JoinHandle<Ended>) {
    let (connector, backend) = backend();
    let pool: Pool<_, WatchedBody<Incoming>> = Pool::new(connector, "http://backend".parse().unwrap());
    let stack = ServiceBuilder::new()
        .layer(OpenGateLayer::new())
        .map_request(|request: Request<Incoming>| request)
        .layer(ResponseTimeoutLayer::new(Duration::from_secs(60)))
        .service(pool);
    let (client, server) = tokio::io::duplex(64 * 1024);
    let info = ConnInfo::plain(SocketAddr::from(([192, 0, 2, 1], 40000)));
    let ended = tokio::spawn(async move { HttpServer::new().serve(server, info, protocol, stack).await });
    (client, backend, ended)
}

async fn receives(connection: &mut Exchange, part: &str) {
    let mut got = vec![0; part.len()];
    connection.0.read_exact(&mut got).await.unwrap();
    assert_eq!(String::from_utf8(got).unwrap(), part);
}

async fn read_until(client: &mut DuplexStream, end: &str) {
    let mut all = Vec::new();
    while !all.ends_with(end.as_bytes()) {
        all.push(client.read_u8().await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_an_upload_follows_its_response() {
    let (mut client, mut backend, _ended) = serve(Protocol::Http1);
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n").await.unwrap();
    let mut connection = backend.accept().await;
    connection.answer("early").await;
    read_until(&mut client, "early").await;
    for part in PARTS {
        tokio::time::sleep(PAUSE).await;
        client.write_all(part.as_bytes()).await.unwrap();
        receives(&mut connection, part).await;
    }
    // Both connections go on.
    settle().await;
    client.write_all(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(connection.answer("next").await.starts_with("GET /next "));
    read_until(&mut client, "next").await;
}

#[tokio::test(start_paused = true)]
async fn so_it_does_over_http2() {
    let (mut client, mut backend, _ended) = serve(Protocol::Http2);
    let fields =
        [(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a"), ("content-length", "20")];
    client.write_all(&http2::hello()).await.unwrap();
    let mut head = http2::request(1, &fields);
    // Without END_STREAM.
    head[4] = 4;
    client.write_all(&head).await.unwrap();
    let mut connection = backend.accept().await;
    connection.answer("early").await;
    http2::frames_until(&mut client, |frame| frame.kind == HEADERS).await;
    for part in PARTS {
        tokio::time::sleep(PAUSE).await;
        client.write_all(&http2::frame(DATA, 0, 1, part.as_bytes())).await.unwrap();
        receives(&mut connection, part).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_stalls_then_is_ended() {
    let (mut client, mut backend, ended) = serve(Protocol::Http1);
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nhalf").await.unwrap();
    let mut connection = backend.accept().await;
    connection.answer("early").await;
    read_until(&mut client, "early").await;
    assert!(tokio::time::timeout(Duration::from_secs(90), ended).await.is_ok());
    settle().await;
    receives(&mut connection, "half").await;
    assert!(connection.has_ended().await);
}
