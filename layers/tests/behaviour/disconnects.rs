//! Clients that disconnect after any number of bytes.

use std::time::Duration;

use pmesh_layers::serve::Protocol;
use tokio::io::AsyncWriteExt;

use super::support::{
    client::{connect, get},
    http2,
};

#[tokio::test(start_paused = true)]
async fn the_server_closes_when_the_client_does() {
    let http1 = [
        "POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        &get("b.example", "/"),
    ]
    .concat();
    let http2 = [http2::hello(), http2::get(1, "a.example"), http2::get(3, "b.example")].concat();
    for (protocols, bytes) in
        [([Protocol::Http1, Protocol::Detect], http1.as_bytes()), ([Protocol::Http2, Protocol::Detect], &http2)]
    {
        for protocol in protocols {
            for end in 0..=bytes.len() {
                let mut client = connect(protocol);
                client.send(&bytes[..end]).await;
                let started = client.started;
                client.leave().await;
                assert!(started.elapsed() <= Duration::from_secs(2), "{protocol:?} after {end} bytes");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_client_gets_nothing_for_a_partial_request() {
    let request = get("a.example", "/");
    for protocol in [Protocol::Http1, Protocol::Detect] {
        for end in 0..request.len() {
            let mut client = connect(protocol);
            client.send(&request[..end]).await;
            client.io.shutdown().await.unwrap();
            assert_eq!(client.read_to_end().await, b"", "{protocol:?} after {end} bytes");
            assert_eq!(client.started.elapsed(), Duration::ZERO, "{protocol:?} after {end} bytes");
        }
    }
}
