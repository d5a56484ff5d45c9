//! Responses that complete before their requests do: the rest of the request still reaches the backend.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use h2::server;
use http::{Request, Response};
use pmesh_layers::{
    body::{RequestBody, ResponseBody},
    conn::ConnInfo,
    pool::{Http2Pool, Pool, PoolError},
    response_timeout::ResponseTimeoutLayer,
    serve::{Ended, HttpServer, Protocol},
    silence::OpenGateLayer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    task::JoinHandle,
};
use tower::{Service, ServiceBuilder};

use super::support::{
    backend::{Backend, Exchange, backend, settle},
    http2::{self, DATA, HEADERS},
};

/// Longer than the timeouts for a head, and for a backend that does not read.
const PAUSE: Duration = Duration::from_secs(50);
const PARTS: [&str; 4] = ["one..", "two..", "three", "four."];

type Body = RequestBody;

fn serve(protocol: Protocol) -> (DuplexStream, Backend, JoinHandle<Ended>) {
    let (connector, backend) = backend();
    let (client, ended) = serve_by(Pool::new(connector, "http://backend".parse().unwrap()), protocol);
    (client, backend, ended)
}

fn serve_by<P>(pool: P, protocol: Protocol) -> (DuplexStream, JoinHandle<Ended>)
where
    P: Service<Request<Body>, Response = Response<ResponseBody>, Error = PoolError>,
    P: Clone + Send + 'static,
    P::Future: Send,
{
    let stack = ServiceBuilder::new()
        .layer(OpenGateLayer::new())
        // The minimum rate applies until the response begins.
        .layer(ResponseTimeoutLayer::new(Duration::from_secs(60)).min_rate(100, Duration::from_secs(10)))
        .service(pool);
    let (client, server) = tokio::io::duplex(64 * 1024);
    let info = ConnInfo::plain(SocketAddr::from(([192, 0, 2, 1], 40000)));
    let ended = tokio::spawn(async move { HttpServer::new().serve(server, info, protocol, stack).await });
    (client, ended)
}

async fn expect_part(connection: &mut Exchange, part: &str) {
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
async fn the_rest_of_an_upload_is_forwarded_after_the_response() {
    let (mut client, mut backend, _ended) = serve(Protocol::Http1);
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n").await.unwrap();
    let mut connection = backend.accept().await;
    connection.answer("early").await;
    read_until(&mut client, "early").await;
    for part in PARTS {
        tokio::time::sleep(PAUSE).await;
        client.write_all(part.as_bytes()).await.unwrap();
        expect_part(&mut connection, part).await;
    }
    // Both connections stay usable.
    settle().await;
    client.write_all(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    assert!(connection.answer("next").await.starts_with("GET /next "));
    read_until(&mut client, "next").await;
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_an_upload_is_forwarded_after_the_response_over_http2() {
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
        expect_part(&mut connection, part).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_an_upload_is_forwarded_after_the_response_to_an_http2_backend() {
    let (connector, mut backend) = backend();
    let pool: Http2Pool<_> = Http2Pool::new(connector, "http://backend".parse().unwrap());
    let (mut client, _ended) = serve_by(pool, Protocol::Http1);
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n").await.unwrap();
    let mut connection = server::handshake(backend.accept().await.0).await.unwrap();
    let (request, mut respond): (_, server::SendResponse<Bytes>) = connection.accept().await.unwrap().unwrap();
    let running = tokio::spawn(async move { while let Some(Ok(_)) = connection.accept().await {} });
    respond.send_response(Response::new(()), false).unwrap().send_data("early".into(), true).unwrap();
    read_until(&mut client, "0\r\n\r\n").await;
    let mut body = request.into_body();
    for part in PARTS {
        tokio::time::sleep(PAUSE).await;
        client.write_all(part.as_bytes()).await.unwrap();
        assert_eq!(body.data().await.unwrap().unwrap(), part);
    }
    assert!(body.data().await.is_none_or(|rest| rest.unwrap().is_empty()));
    running.abort();
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_stalls_after_the_response_closes_both_connections() {
    let (mut client, mut backend, ended) = serve(Protocol::Http1);
    client.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nhalf").await.unwrap();
    let mut connection = backend.accept().await;
    connection.answer("early").await;
    read_until(&mut client, "early").await;
    assert!(tokio::time::timeout(Duration::from_secs(90), ended).await.is_ok());
    settle().await;
    expect_part(&mut connection, "half").await;
    assert!(connection.has_ended().await);
}
