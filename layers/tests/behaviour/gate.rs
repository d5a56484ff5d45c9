//! HTTP/2 behind the gate: SETTINGS and everything else wait for the first served request.

use std::time::Duration;

use pmesh_layers::serve::{Ended, Protocol};

use super::support::{
    client::connect,
    http2::{self, DATA, PING, SETTINGS},
};

#[tokio::test(start_paused = true)]
async fn frames_are_held_back_until_a_served_host_is_named() {
    for protocol in [Protocol::Http2, Protocol::Detect] {
        let mut client = connect(protocol);
        client.send(http2::hello()).await;
        client.send(http2::frame(PING, 0, 0, b"12345678")).await;
        client.expect_nothing_for(Duration::from_secs(9)).await;

        client.send(http2::get(1, "a.example")).await;
        let frames = http2::frames_until(&mut client.io, |frame| frame.kind == DATA).await;
        assert_eq!(frames[0].kind, SETTINGS, "{frames:?}");
        assert!(frames.iter().any(|frame| frame.kind == PING && frame.payload == b"12345678"), "{frames:?}");
        assert!(frames.iter().any(|frame| frame.is_ok_response(1)), "{frames:?}");
        assert_eq!(frames.last().unwrap().payload, b"a.example/ []");

        client.send(http2::get(3, "b.example")).await;
        let frames = http2::frames_until(&mut client.io, |frame| frame.kind == DATA).await;
        assert_eq!(frames.last().unwrap().payload, b"b.example/ []");
    }
}

#[tokio::test(start_paused = true)]
async fn with_detect_open_a_preface_opens_the_gate() {
    let mut client = connect(Protocol::DetectOpen);
    client.send(http2::hello()).await;
    let frames = http2::frames_until(&mut client.io, |frame| frame.kind == SETTINGS).await;
    assert_eq!(frames.len(), 1);
    assert_eq!(client.started.elapsed(), Duration::ZERO);

    client.send(http2::get(1, "other.example")).await;
    let left = client.read_to_end().await;
    let settings_ack = http2::frame(SETTINGS, 1, 0, &[]);
    assert!(left.is_empty() || left.starts_with(&settings_ack), "{left:?}");
    assert!(matches!(client.leave().await, Ended::Silenced));
}

#[tokio::test(start_paused = true)]
async fn a_flood_before_the_gate_opens_closes_the_connection() {
    for (name, frame) in [("PING", http2::frame(PING, 0, 0, &[0; 8])), ("SETTINGS", http2::frame(SETTINGS, 0, 0, &[]))]
    {
        let mut client = connect(Protocol::Http2);
        client.send(http2::hello()).await;
        client.send(frame.repeat(5_000)).await;
        assert_eq!(client.read_to_end().await, b"", "{name}");
        assert_eq!(client.started.elapsed(), Duration::ZERO, "{name}");
        assert!(matches!(client.leave().await, Ended::Failed(_)), "{name}");
    }
}
