//! The connection counts that a pool reports.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use h2::server;
use http::{Request, Response};
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::rt::TokioIo;
use pmesh_layers::{
    conn::ConnInfo,
    pool::{Http2Pool, Pool, PoolStats},
};
use tower::ServiceExt;

use super::support::{
    backend::{backend, settle},
    client::PEER,
};

/// The numbers of open and of idle connections.
async fn connections(stats: &PoolStats) -> (usize, usize) {
    settle().await;
    (stats.open(), stats.idle())
}

#[tokio::test(start_paused = true)]
async fn http1_connections_count_until_they_close() {
    let (connector, mut backend) = backend();
    let pool = Pool::with_limits(connector, "http://backend".parse().unwrap(), 8, Duration::from_secs(60));
    let stats = Arc::clone(pool.stats());
    let send = || tokio::spawn(pool.clone().oneshot(Request::new(Full::<Bytes>::default())));
    assert_eq!(connections(&stats).await, (0, 0));

    let (one, two) = (send(), send());
    let (mut first, mut second) = (backend.accept().await, backend.accept().await);
    assert_eq!(connections(&stats).await, (2, 0));
    first.answer("one").await;
    one.await.unwrap().unwrap().collect().await.unwrap();
    assert_eq!(connections(&stats).await, (2, 1));
    // A response whose body is not read to the end.
    second.head().await;
    second.send("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
    drop(two.await.unwrap().unwrap());
    assert_eq!(connections(&stats).await, (1, 1));

    // A request that is cancelled.
    let cancelled = send();
    assert_eq!(connections(&stats).await, (1, 0));
    cancelled.abort();
    assert_eq!(connections(&stats).await, (0, 0));

    // An idle connection that the endpoint closes, and one that has been idle for too long.
    for closes in [true, false] {
        let response = send();
        let mut connection = backend.accept().await;
        connection.answer("x").await;
        response.await.unwrap().unwrap().collect().await.unwrap();
        assert_eq!(connections(&stats).await, (1, 1));
        let _held = (!closes).then_some(connection);
        tokio::time::sleep(Duration::from_secs(if closes { 1 } else { 90 })).await;
        assert_eq!(connections(&stats).await, (0, 0), "{closes}");
    }

    let response = send();
    let mut last = backend.accept().await;
    last.answer("last").await;
    response.await.unwrap().unwrap().collect().await.unwrap();
    assert_eq!(connections(&stats).await, (1, 1));
    drop(pool);
    assert_eq!(connections(&stats).await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn tunnels_and_private_connections_count_as_open_but_not_idle() {
    let (connector, mut backend) = backend();
    let pool = Pool::new(connector, "http://backend".parse().unwrap());
    let stats = Arc::clone(pool.stats());
    let upgrade = Request::get("/").header("connection", "upgrade").header("upgrade", "chat");
    let response = tokio::spawn(pool.clone().oneshot(upgrade.body(Full::<Bytes>::default()).unwrap()));
    let mut tunnel = backend.accept().await;
    tunnel.head().await;
    tunnel.send("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n").await;
    let upgraded = TokioIo::new(hyper::upgrade::on(response.await.unwrap().unwrap()).await.unwrap());
    assert_eq!(connections(&stats).await, (1, 0));

    let client = ConnInfo::plain(SocketAddr::from(PEER));
    let mut request = Request::new(Full::default());
    request.extensions_mut().insert(client.clone());
    let response = tokio::spawn(pool.clone().oneshot(request));
    let mut private = backend.accept().await;
    private.head().await;
    private.send("HTTP/1.1 401 Unauthorized\r\nwww-authenticate: NTLM\r\ncontent-length: 0\r\n\r\n").await;
    response.await.unwrap().unwrap().collect().await.unwrap();
    assert_eq!(connections(&stats).await, (2, 0));

    drop(client);
    assert_eq!(connections(&stats).await, (1, 0));
    drop((pool, upgraded));
    assert_eq!(connections(&stats).await, (0, 0));
}

#[tokio::test(start_paused = true)]
async fn http2_connections_and_streams_count_until_they_end() {
    let (connector, mut backend) = backend();
    let pool = Http2Pool::new(connector, "http://backend".parse().unwrap());
    let stats = Arc::clone(pool.stats());
    let send = || tokio::spawn(pool.clone().oneshot(Request::get("/").body(Empty::<Bytes>::new()).unwrap()));
    let responses = [send(), send()];
    let mut peer = server::handshake(backend.accept().await.0).await.unwrap();
    let peer = tokio::spawn(async move {
        while let Some(Ok((_, mut respond))) = peer.accept().await {
            let mut body = respond.send_response(Response::new(()), false).unwrap();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                body.send_data(Bytes::from_static(b"end"), true)
            });
        }
    });
    assert_eq!(connections(&stats).await, (1, 0));
    assert_eq!(stats.streams(), 2);
    for response in responses {
        response.await.unwrap().unwrap().collect().await.unwrap();
    }
    assert_eq!(connections(&stats).await, (1, 1));
    assert_eq!(stats.streams(), 0);

    let broken = send();
    assert_eq!((connections(&stats).await, stats.streams()), ((1, 0), 1));
    peer.abort();
    drop(broken.await);
    assert_eq!((connections(&stats).await, stats.streams()), ((0, 0), 0));
}
