//! Settings at the limits of their types.

use std::time::Duration;

use pmesh_layers::{
    conn::ConnInfo,
    connect::SourceConnector,
    serve::{HttpServer, Protocol},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    net::TcpListener,
};

use super::support::{
    client::{PEER, echo, gated, get},
    http2::{self, DATA},
};

fn without_timeouts() -> HttpServer {
    let never = Duration::MAX;
    HttpServer::new().silence_deadline(never).keep_alive_timeout(never).head_timeout(never).stall_timeout(never)
}

#[tokio::test(start_paused = true)]
async fn http1_timeouts_can_be_the_maximum_duration() {
    let (near, mut client) = duplex(4096);
    let serving =
        tokio::spawn(without_timeouts().serve(near, ConnInfo::plain(PEER.into()), Protocol::Http1, gated(echo())));
    for _ in 0..2 {
        let request = get("a.example", "/");
        // In pieces, with pauses in which the connection goes to sleep.
        for piece in request.as_bytes().chunks(9) {
            client.write_all(piece).await.unwrap();
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        let mut answer = [0; 1024];
        let count = client.read(&mut answer).await.unwrap();
        assert!(answer[..count].starts_with(b"HTTP/1.1 200 "));
    }
    drop(client);
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn http2_timeouts_can_be_the_maximum_duration() {
    let (near, mut client) = duplex(64 * 1024);
    let serving =
        tokio::spawn(without_timeouts().serve(near, ConnInfo::plain(PEER.into()), Protocol::Http2, gated(echo())));
    client.write_all(&[http2::hello(), http2::get(1, "a.example")].concat()).await.unwrap();
    http2::frames_until(&mut client, |frame| frame.kind == DATA).await;
    drop(client);
    serving.await.unwrap();
}

#[tokio::test]
async fn the_last_call_of_max_fields_wins() {
    let (near, mut client) = duplex(4096);
    let server = HttpServer::new().max_headers(2).max_headers(100);
    let serving = tokio::spawn(server.serve(near, ConnInfo::plain(PEER.into()), Protocol::Http1, gated(echo())));
    client.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\nA: 1\r\nB: 2\r\n\r\n").await.unwrap();
    let mut answer = [0; 1024];
    let count = client.read(&mut answer).await.unwrap();
    assert!(answer[..count].starts_with(b"HTTP/1.1 200 "));
    drop(client);
    serving.await.unwrap();
}

#[tokio::test]
async fn connect_timeouts_and_keepalives_can_have_any_duration() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for idle in [Duration::ZERO, Duration::from_millis(999), Duration::from_secs(32_768), Duration::MAX] {
        let connector = SourceConnector::new().keepalive(Some(idle)).connect_timeout(Duration::MAX);
        for host in ["127.0.0.1", "localhost"] {
            connector.connect(host, port).await.unwrap();
        }
    }
}
