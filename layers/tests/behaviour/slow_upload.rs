//! Request bodies that trickle to a backend that waits for all of them.

use std::{net::SocketAddr, time::Duration};

use pmesh_layers::{
    conn::ConnInfo,
    pool::Pool,
    response_timeout::ResponseTimeoutLayer,
    serve::{Ended, HttpServer, Protocol},
    silence::OpenGateLayer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    task::JoinHandle,
};
use tower::ServiceBuilder;

use super::support::backend::{Backend, backend};

const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

fn serve() -> (DuplexStream, Backend, JoinHandle<Ended>) {
    let (connector, backend) = backend();
    let stack = ServiceBuilder::new()
        .layer(OpenGateLayer::new())
        .layer(ResponseTimeoutLayer::new(MINUTE).min_rate(100, MINUTE))
        .service(Pool::new(connector, "http://backend".parse().unwrap()));
    let (client, server) = tokio::io::duplex(64 * 1024);
    let info = ConnInfo::plain(SocketAddr::from(([192, 0, 2, 1], 40000)));
    let ended = tokio::spawn(async move { HttpServer::new().serve(server, info, Protocol::Http1, stack).await });
    (client, backend, ended)
}

const HEAD: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_trickling_upload_closes_both_connections() {
    let (mut client, mut backend, ended) = serve();
    client.write_all(HEAD.as_bytes()).await.unwrap();
    let mut connection = backend.accept().await;
    connection.head().await;
    let mut seconds = 0;
    // 600 s are far more than the server needs to notice.
    while !ended.is_finished() && client.write_all(b"x").await.is_ok() && seconds < 600 {
        seconds += 1;
        tokio::time::sleep(SECOND).await;
    }
    assert!(seconds < 600);
    assert!(matches!(ended.await.unwrap(), Ended::Silenced));
    let mut rest = Vec::new();
    connection.0.read_to_end(&mut rest).await.unwrap();
    assert!(rest.len() < 6000, "{}", rest.len());
}

#[tokio::test(start_paused = true)]
async fn an_upload_at_twice_the_minimum_rate_succeeds() {
    let (mut client, mut backend, _ended) = serve();
    client.write_all(HEAD.as_bytes()).await.unwrap();
    let mut connection = backend.accept().await;
    connection.head().await;
    let reading = tokio::spawn(async move {
        connection.0.read_exact(&mut [0; 60_000]).await.unwrap();
        connection.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        connection
    });
    for _ in 0..300 {
        client.write_all(&[b'x'; 200]).await.unwrap();
        tokio::time::sleep(SECOND).await;
    }
    let mut status = [0; 15];
    client.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200 OK");
    reading.await.unwrap();
}
