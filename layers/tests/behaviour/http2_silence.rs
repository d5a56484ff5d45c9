//! HTTP/2 requests that name no served host close the connection.

use std::time::Duration;

use pmesh_layers::serve::{Ended, Protocol};

use super::support::{
    client::connect,
    http2::{self, DATA, HEADERS},
};

const GET: [(&str, &str); 3] = [(":method", "GET"), (":scheme", "http"), (":path", "/")];

#[tokio::test(start_paused = true)]
async fn requests_without_a_served_host_close_the_connection_without_a_byte() {
    let cases: [(&str, &[(&str, &str)]); 10] = [
        ("no authority", &[]),
        ("unserved", &[(":authority", "other.example")]),
        ("an address", &[(":authority", "127.0.0.1")]),
        ("userinfo", &[(":authority", "u@a.example")]),
        ("port 0", &[(":authority", "a.example:0")]),
        ("empty", &[(":authority", "")]),
        ("and another host", &[(":authority", "a.example"), ("host", "b.example")]),
        ("and a malformed host", &[(":authority", "a.example"), ("host", "a.example,")]),
        ("two hosts", &[("host", "a.example"), ("host", "a.example")]),
        ("an unserved host alone", &[("host", "other.example")]),
    ];
    for (name, fields) in cases {
        for protocol in [Protocol::Http2, Protocol::Detect] {
            let mut client = connect(protocol);
            let request = http2::request(1, &[&GET[..], fields].concat());
            client.send([http2::hello(), request].concat()).await;
            assert_eq!(client.read_to_end().await, b"", "{name}");
            let ended = client.leave().await;
            assert!(matches!(ended, Ended::Silenced | Ended::Failed(_) | Ended::SilenceDeadline), "{name}: {ended:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_header_alone_or_equal_to_the_authority_is_accepted() {
    let cases: [(&str, &[(&str, &str)]); 3] = [
        ("authority alone", &[(":authority", "a.example")]),
        ("both", &[(":authority", "a.example"), ("host", "A.EXAMPLE:80")]),
        ("host alone", &[("host", "a.example")]),
    ];
    for (name, fields) in cases {
        let mut client = connect(Protocol::Http2);
        client.send([http2::hello(), http2::request(1, &[&GET[..], fields].concat())].concat()).await;
        let frames = http2::frames_until(&mut client.io, |frame| frame.kind == DATA).await;
        assert_eq!(frames.last().unwrap().payload, b"a.example/ []", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_unserved_host_closes_the_connection() {
    let mut client = connect(Protocol::Http2);
    client.send([http2::hello(), http2::get(1, "a.example")].concat()).await;
    http2::frames_until(&mut client.io, |frame| frame.kind == DATA).await;
    client.send(http2::get(3, "other.example")).await;
    while let Some(frame) = http2::next_frame(&mut client.io).await {
        assert!(frame.kind != HEADERS && frame.stream != 3, "{frame:?}");
    }
    // The previous response gets this time to reach a slow client.
    assert!(client.started.elapsed() <= Duration::from_secs(1));
    assert!(matches!(client.leave().await, Ended::Silenced));
}
