//! Request heads that arrive slowly on a connection whose gate is open.

use std::time::Duration;

use pmesh_layers::{
    conn::ConnInfo,
    serve::{Ended, Protocol},
};

use super::support::client::{Client, PEER, connect, echo, get, serve};

const TIMEOUT: Duration = Duration::from_secs(10);

async fn answered() -> Client {
    let mut client = connect(Protocol::Http1);
    client.send(get("a.example", "/")).await;
    client.read_until("]").await;
    client
}

#[tokio::test(start_paused = true)]
async fn the_head_timeout_starts_with_the_first_byte() {
    for pause in [0, 5, 30] {
        let mut client = answered().await;
        if pause > 0 {
            client.expect_nothing_for(Duration::from_secs(pause)).await;
        }
        let begun = client.started.elapsed();
        for byte in "GET / H".as_bytes() {
            client.send([*byte]).await;
            client.expect_nothing_for(Duration::from_secs(1)).await;
        }
        assert_eq!(client.read_to_end().await, b"", "{pause}");
        let waited = client.started.elapsed() - begun;
        assert_eq!(waited.as_secs(), TIMEOUT.as_secs(), "{pause}");
        assert!(matches!(client.leave().await, Ended::HeadTimeout), "{pause}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_an_open_gate_the_timeout_applies_to_the_first_head() {
    let info = ConnInfo::tls(PEER.into(), "a.example".parse().unwrap());
    let mut client = serve(echo(), info, Protocol::Http1);
    client.expect_nothing_for(TIMEOUT * 2).await;
    client.send("GET / H").await;
    assert_eq!(client.read_to_end().await, b"");
    assert_eq!(client.started.elapsed().as_secs(), TIMEOUT.as_secs() * 3);
}

#[tokio::test(start_paused = true)]
async fn each_head_has_its_own_timeout() {
    let mut client = answered().await;
    for _ in 0..5 {
        let (start, end) = ("GET / HTTP/1.1\r\nHost: a.exa", "mple\r\n\r\n");
        client.send(start).await;
        client.expect_nothing_for(TIMEOUT - Duration::from_secs(2)).await;
        // The next head starts in the same write as the end of this one.
        client.send(format!("{end}{start}")).await;
        client.read_until("]").await;
        client.expect_nothing_for(TIMEOUT - Duration::from_secs(2)).await;
        client.send(end).await;
        client.read_until("]").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_is_not_a_slow_head() {
    let mut client = answered().await;
    client.send("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\n").await;
    for byte in "body".as_bytes() {
        client.expect_nothing_for(TIMEOUT * 2).await;
        client.send([*byte]).await;
    }
    assert!(client.read_until("]").await.ends_with("[body]"));
    // Bytes of the body do not count as the start of a head.
    client.expect_nothing_for(TIMEOUT * 2).await;
}
