//! One deadline for all clients that stall before they have named a served host.

use std::time::Duration;

use pmesh_layers::serve::{Ended, Protocol};

use super::support::{
    client::connect,
    http2::{self, GOAWAY},
};

const DEADLINE: Duration = Duration::from_secs(10);

#[tokio::test(start_paused = true)]
async fn stalled_clients_are_closed_at_the_deadline_without_a_byte() {
    use Protocol::{Detect, DetectOpen, Http1, Http2};

    let hello = http2::hello();
    let cases: [(&str, &[u8], &[Protocol]); 7] = [
        ("nothing", b"", &[Http1, Http2, Detect, DetectOpen]),
        ("a letter", b"G", &[Http1, Detect, DetectOpen]),
        ("a part of the preface", b"PRI * HTTP/2.0\r\n\r\nSM", &[Http2, Detect, DetectOpen]),
        ("a preface", &hello[..24], &[Http2, Detect]),
        ("a preface and settings", &hello, &[Http2, Detect]),
        ("a head without its end", b"GET / HTTP/1.1\r\nHost: a.example\r\n", &[Http1, Detect, DetectOpen]),
        ("empty lines", b"\r\n\r\n\r\n", &[Http1, Detect, DetectOpen]),
    ];
    for (name, bytes, protocols) in cases {
        for protocol in protocols {
            let mut client = connect(*protocol);
            client.send(bytes).await;
            assert_eq!(client.read_to_end().await, b"", "{name}, {protocol:?}");
            assert_eq!(seconds(client.started.elapsed()), seconds(DEADLINE), "{name}, {protocol:?}");
            let ended = client.leave().await;
            assert!(matches!(ended, Ended::SilenceDeadline), "{name}, {protocol:?}: {ended:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_byte_now_and_then_does_not_extend_the_deadline() {
    let mut client = connect(Protocol::Http1);
    for byte in "GET / H".as_bytes() {
        client.send([*byte]).await;
        client.expect_nothing_for(Duration::from_secs(1)).await;
    }
    assert_eq!(client.read_to_end().await, b"");
    assert_eq!(seconds(client.started.elapsed()), seconds(DEADLINE));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_does_not_apply_once_the_gate_is_open() {
    let mut client = connect(Protocol::DetectOpen);
    client.send(http2::hello()).await;
    http2::frames_until(&mut client.io, |frame| frame.kind == GOAWAY).await;
    assert!(client.started.elapsed() > 2 * DEADLINE);
}

/// Tokio's timers have millisecond precision.
fn seconds(time: Duration) -> u64 {
    time.as_secs()
}
