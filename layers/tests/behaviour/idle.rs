//! Connections that were answered and then wait for too long.

use std::time::Duration;

use pmesh_layers::serve::{Ended, Protocol};

use super::support::{
    client::{connect, get},
    http2::{self, DATA, GOAWAY},
};

const TIMEOUT: Duration = Duration::from_secs(75);

#[tokio::test(start_paused = true)]
async fn http1_is_closed() {
    let mut client = connect(Protocol::Http1);
    client.send(get("a.example", "/")).await;
    client.read_until("]").await;
    assert_eq!(client.read_to_end().await, b"");
    let waited = client.started.elapsed();
    assert!(waited >= TIMEOUT && waited < TIMEOUT + Duration::from_secs(2), "{waited:?}");
    assert!(matches!(client.leave().await, Ended::Idle));
}

#[tokio::test(start_paused = true)]
async fn a_request_starts_the_wait_anew() {
    let mut client = connect(Protocol::Http1);
    for _ in 0..3 {
        client.send(get("a.example", "/")).await;
        client.read_until("]").await;
        client.hears_nothing_for(TIMEOUT - Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn http2_is_told_to_go_away() {
    let mut client = connect(Protocol::Http2);
    client.send([http2::hello(), http2::get(1, "a.example")].concat()).await;
    http2::frames_until(&mut client.io, |frame| frame.kind == DATA).await;
    http2::frames_until(&mut client.io, |frame| frame.kind == GOAWAY).await;
    let waited = client.started.elapsed();
    assert!(waited >= TIMEOUT && waited < TIMEOUT + Duration::from_secs(1), "{waited:?}");
    // Even if the client does not answer.
    client.read_to_end().await;
    assert!(matches!(client.leave().await, Ended::Idle));
}
