//! Tunnels, from the `Upgrade` request to bytes in both directions.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use pmesh_layers::{
    body::RequestBody,
    conn::ConnInfo,
    hop_by_hop::HopByHopLayer,
    pool::Pool,
    serve::{Ended, HttpServer, Protocol},
    silence::OpenGateLayer,
    upgrade::{MissingUpgrade, TunnelCloser, TunnelLayer, UnexpectedUpgrade},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    task::JoinHandle,
    time::Instant,
};
use tower::{BoxError, Layer, ServiceBuilder, ServiceExt, service_fn};

use super::support::{
    backend::{Backend, backend, settle},
    client::PEER,
};

const UPGRADE: &str = "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: upgrade\r\nUpgrade: chat, other\r\n\r\n";

/// A client whose requests reach the backend.
fn connect() -> (DuplexStream, Backend, JoinHandle<Ended>, ConnInfo) {
    connect_through(TunnelLayer::new())
}

fn connect_through(tunnels: TunnelLayer) -> (DuplexStream, Backend, JoinHandle<Ended>, ConnInfo) {
    let (connector, backend) = backend();
    let pool: Pool<_> = Pool::new(connector, "http://backend".parse().unwrap());
    let stack =
        ServiceBuilder::new().layer(OpenGateLayer::new()).layer(HopByHopLayer::new()).layer(tunnels).service(pool);
    let (client, server) = tokio::io::duplex(64 * 1024);
    let info = ConnInfo::plain(PEER.into());
    let serving = info.clone();
    let ended = tokio::spawn(async move { HttpServer::new().serve(server, serving, Protocol::Http1, stack).await });
    (client, backend, ended, info)
}

fn switching(protocol: &str) -> String {
    format!("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: {protocol}\r\n\r\n")
}

async fn read_head(io: &mut DuplexStream) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(io.read_u8().await.unwrap()));
    }
    head
}

async fn expect(io: &mut DuplexStream, expected: &str) {
    let mut received = vec![0; expected.len()];
    io.read_exact(&mut received).await.unwrap();
    assert_eq!(received, expected.as_bytes());
}

#[tokio::test]
async fn bytes_flow_both_ways_and_each_side_closes_separately() {
    for client_ends_first in [true, false] {
        let (mut client, mut backend, ended, info) = connect();
        // Bytes right after the request belong to the tunnel.
        client.write_all(format!("{UPGRADE}early").as_bytes()).await.unwrap();
        let mut backend = backend.accept().await;
        assert!(backend.head().await.to_lowercase().contains("upgrade: chat, other\r\n"));
        backend.send(&format!("{}welcome", switching("Chat"))).await;
        let head = read_head(&mut client).await;
        assert!(head.starts_with("HTTP/1.1 101 ") && head.to_lowercase().contains("upgrade: chat\r\n"), "{head}");
        let mut backend = backend.0;
        expect(&mut client, "welcome").await;
        expect(&mut backend, "early").await;
        assert!(matches!(ended.await.unwrap(), Ended::Finished));

        let (first, second) = if client_ends_first { (&mut client, &mut backend) } else { (&mut backend, &mut client) };
        first.write_all(b"last words").await.unwrap();
        first.shutdown().await.unwrap();
        let mut received = String::new();
        second.read_to_string(&mut received).await.unwrap();
        assert_eq!(received, "last words");
        assert!(info.control().downgrade().is_alive());
        second.write_all(b"answer").await.unwrap();
        second.shutdown().await.unwrap();
        received.clear();
        first.read_to_string(&mut received).await.unwrap();
        assert_eq!(received, "answer");
    }
}

#[tokio::test(start_paused = true)]
async fn a_closer_closes_open_and_later_tunnels_after_its_grace_period() {
    const GRACE: Duration = Duration::from_secs(30);
    let closer = TunnelCloser::new();
    let (mut open, mut backend_of_open) = open_tunnel(TunnelLayer::new().closed_by(&closer)).await;
    closer.close_after(GRACE);
    let closes_at = Instant::now() + GRACE;
    let (mut later, mut backend_of_later) = open_tunnel(TunnelLayer::new().closed_by(&closer)).await;
    for (client, backend) in [(&mut open, &mut backend_of_open), (&mut later, &mut backend_of_later)] {
        client.write_all(b"still open").await.unwrap();
        expect(backend, "still open").await;
    }
    for client in [&mut open, &mut later] {
        assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0);
        assert!(Instant::now() >= closes_at);
    }
    let (mut after, _backend) = open_tunnel(TunnelLayer::new().closed_by(&closer)).await;
    assert_eq!(after.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_closer_closes_nothing() {
    let (mut client, mut backend) = open_tunnel(TunnelLayer::new().closed_by(&TunnelCloser::new())).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    client.write_all(b"still open").await.unwrap();
    expect(&mut backend, "still open").await;
}

/// Both ends of a tunnel.
async fn open_tunnel(tunnels: TunnelLayer) -> (DuplexStream, DuplexStream) {
    let (mut client, mut backend, _, _) = connect_through(tunnels);
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    let mut backend = backend.accept().await;
    backend.head().await;
    backend.send(&switching("other")).await;
    read_head(&mut client).await;
    (client, backend.0)
}

#[tokio::test(start_paused = true)]
async fn the_connection_record_lives_as_long_as_the_tunnel() {
    let (mut client, mut backend, ended, info) = connect();
    let record = info.control().downgrade();
    drop(info);
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    let mut backend = backend.accept().await;
    backend.head().await;
    backend.send(&switching("other")).await;
    read_head(&mut client).await;
    ended.await.unwrap();
    settle().await;
    assert!(record.is_alive());
    drop((client, backend));
    settle().await;
    assert!(!record.is_alive());
}

#[tokio::test]
async fn only_the_requested_protocol_is_accepted() {
    for (name, requested, answered, allowed) in [
        ("the requested one", Some("chat"), &["chat"][..], true),
        ("one of two, in another case", Some("other, Chat"), &["CHAT"], true),
        ("another", Some("chat"), &["other"], false),
        ("none", Some("chat"), &[], false),
        ("two", Some("chat, other"), &["chat", "other"], false),
        ("unrequested", None, &["chat"], false),
    ] {
        let inner = service_fn(move |_: Request<Empty<Bytes>>| {
            let mut response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
            for protocol in answered {
                response = response.header("upgrade", *protocol);
            }
            std::future::ready(response.body(()).map_err(BoxError::from))
        });
        let mut request = Request::new(Empty::<Bytes>::new());
        if let Some(requested) = requested {
            request.headers_mut().insert("upgrade", requested.parse().unwrap());
        }
        let response = TunnelLayer::new().layer(inner).oneshot(request).await;
        match response {
            Ok(_) => assert!(allowed, "{name}"),
            Err(error) => assert!(!allowed && error.is::<UnexpectedUpgrade>(), "{name}: {error}"),
        }
    }
}

#[tokio::test]
async fn an_upgrade_on_a_server_without_support_is_an_error() {
    let (connector, mut backend) = backend();
    let pool: Pool<_> = Pool::new(connector, "http://backend".parse().unwrap());
    let request = Request::get("/").header("connection", "upgrade").header("upgrade", "chat");
    let request = request.body(Empty::new()).unwrap();
    let response = tokio::spawn(TunnelLayer::new().layer(pool).oneshot(request));
    let mut connection = backend.accept().await;
    connection.head().await;
    connection.send(&switching("chat")).await;
    assert!(response.await.unwrap().err().unwrap().is::<MissingUpgrade>());
}

#[tokio::test]
async fn a_service_can_handle_the_upgrade_itself() {
    let echo = service_fn(async |mut request: Request<RequestBody>| {
        let upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let (mut reader, mut writer) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
            tokio::io::copy(&mut reader, &mut writer).await.unwrap();
        });
        let response = Response::builder().status(101).header("connection", "upgrade").header("upgrade", "chat");
        response.body(Empty::<Bytes>::new()).map_err(BoxError::from)
    });
    let stack = ServiceBuilder::new()
        .layer(OpenGateLayer::new())
        .layer(HopByHopLayer::new())
        .layer(TunnelLayer::new())
        .service(echo);
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    let info = ConnInfo::plain(PEER.into());
    let _ended = tokio::spawn(async move { HttpServer::new().serve(server, info, Protocol::Http1, stack).await });
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    read_head(&mut client).await;
    client.write_all(b"hello").await.unwrap();
    expect(&mut client, "hello").await;
}

#[tokio::test]
async fn a_refused_upgrade_is_an_ordinary_response() {
    let (mut client, mut backend, _ended, _info) = connect();
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    let mut connection = backend.accept().await;
    for _ in 0..2 {
        connection.answer("no").await;
        assert!(read_head(&mut client).await.starts_with("HTTP/1.1 200 OK\r\n"));
        expect(&mut client, "no").await;
        client.write_all(UPGRADE.as_bytes()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_tunnel_is_closed() {
    const HOUR: Duration = Duration::from_secs(60 * 60);

    let (mut client, mut backend, _ended, _info) = connect();
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    let mut backend = backend.accept().await;
    backend.head().await;
    backend.send(&switching("other")).await;
    read_head(&mut client).await;
    let mut backend = backend.0;
    // Bytes from either side keep it open.
    for _ in 0..3 {
        tokio::time::sleep(HOUR * 2 / 3).await;
        client.write_all(b"ping").await.unwrap();
        expect(&mut backend, "ping").await;
        tokio::time::sleep(HOUR * 2 / 3).await;
        backend.write_all(b"pong").await.unwrap();
        expect(&mut client, "pong").await;
    }
    let last_activity = Instant::now();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
    assert_eq!(backend.read(&mut [0]).await.unwrap(), 0);
    let waited = last_activity.elapsed();
    assert!(waited >= HOUR && waited < HOUR * 4 / 3, "{waited:?}");
}
