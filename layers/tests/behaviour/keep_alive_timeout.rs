//! Keep-alive timeouts.

use std::time::Duration;

use pmesh_layers::{
    conn::ConnInfo,
    serve::{Ended, HttpServer, Protocol},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    time::{Instant, sleep},
};

use super::support::{
    client::{PEER, connect, echo, gated, get},
    http2::{self, DATA, GOAWAY},
};

const TIMEOUT: Duration = Duration::from_secs(75);

#[tokio::test(start_paused = true)]
async fn an_idle_http1_connection_is_closed() {
    let mut client = connect(Protocol::Http1);
    client.send(get("a.example", "/")).await;
    client.read_until("]").await;
    assert_eq!(client.read_to_end().await, b"");
    let waited = client.started.elapsed();
    assert!(waited >= TIMEOUT && waited < TIMEOUT + Duration::from_secs(2), "{waited:?}");
    assert!(matches!(client.leave().await, Ended::Idle));
}

#[tokio::test(start_paused = true)]
async fn a_request_restarts_the_timeout() {
    let mut client = connect(Protocol::Http1);
    for _ in 0..3 {
        client.send(get("a.example", "/")).await;
        client.read_until("]").await;
        client.expect_nothing_for(TIMEOUT - Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_idle_http2_connection_gets_goaway() {
    let mut client = connect(Protocol::Http2);
    client.send([http2::hello(), http2::get(1, "a.example")].concat()).await;
    http2::frames_until(&mut client.io, |frame| frame.kind == DATA).await;
    http2::frames_until(&mut client.io, |frame| frame.kind == GOAWAY).await;
    let waited = client.started.elapsed();
    assert!(waited >= TIMEOUT && waited < TIMEOUT + Duration::from_secs(1), "{waited:?}");
    // Then it is closed, even if the client does not respond.
    client.read_to_end().await;
    assert!(matches!(client.leave().await, Ended::Idle));
}

#[tokio::test(start_paused = true)]
async fn a_first_head_in_pieces_does_not_extend_the_timeout() {
    let server = HttpServer::new().keep_alive_timeout(Duration::from_secs(1)).silence_deadline(Duration::from_secs(8));
    let (near, mut client) = duplex(4096);
    let serving = tokio::spawn(server.serve(near, ConnInfo::plain(PEER.into()), Protocol::Http1, gated(echo())));
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    sleep(Duration::from_millis(100)).await;
    client.write_all(b"Host: a.example\r\n\r\n").await.unwrap();
    let begun = Instant::now();
    client.read_to_end(&mut Vec::new()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(matches!(serving.await.unwrap(), Ended::Idle));
}
