//! Responses that the service has finished and the client is still reading.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use pmesh_layers::{
    conn::ConnInfo,
    serve::{HttpServer, Protocol},
    silence::OpenGateLayer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::sleep,
};
use tower::{BoxError, ServiceBuilder, service_fn};

use super::support::client::get;

/// Larger than the pipe, in one piece, so the server gets all of it from the service at once.
const SIZE: usize = 512 * 1024;

/// Reads a piece every five seconds, for longer than any keep-alive timeout. Returns how much was read.
async fn read_slowly(drain: bool) -> usize {
    let stack = ServiceBuilder::new()
        .layer(OpenGateLayer::new())
        .service(service_fn(async |_| Ok::<_, BoxError>(Response::new(Full::new(Bytes::from(vec![b'x'; SIZE]))))));
    let (mut client, server) = tokio::io::duplex(16 * 1024);
    let info = ConnInfo::plain(SocketAddr::from(([192, 0, 2, 1], 40000)));
    let control = info.control().clone();
    tokio::spawn(async move { HttpServer::new().serve(server, info, Protocol::Http1, stack).await });
    client.write_all(get("a.example", "/").as_bytes()).await.unwrap();
    let mut piece = vec![0; 16 * 1024];
    let mut read = 0;
    loop {
        match client.read(&mut piece).await.unwrap() {
            0 => return read,
            count => read += count,
        }
        if drain {
            control.drain();
        }
        sleep(Duration::from_secs(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_response_is_not_cut_off_by_the_keep_alive_timeout() {
    let read = read_slowly(false).await;
    assert!(read > SIZE, "{read}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_response_is_not_cut_off_by_draining() {
    let read = read_slowly(true).await;
    assert!(read > SIZE, "{read}");
}
