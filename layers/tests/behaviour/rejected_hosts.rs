//! Requests with a malformed or unserved host, on connections whose gate is open.

use std::{net::SocketAddr, time::Duration};

use pmesh_layers::{
    conn::ConnInfo,
    serve::{Ended, Protocol},
};

use super::support::{
    client::{Client, PEER, connect, echo, get, serve},
    http2::{self, DATA, Frame, GOAWAY, HEADERS, frame, next_frame},
};

/// HTTP/1.1 requests with a malformed host, without the method.
const MALFORMED: [&str; 7] = [
    "/ HTTP/1.1\r\n",
    "/ HTTP/1.1\r\nHost:\r\n",
    "/ HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n",
    "/ HTTP/1.1\r\nHost: a.example, b.example\r\n",
    "/ HTTP/1.1\r\nHost: user@a.example\r\n",
    "/ HTTP/1.1\r\nHost: a.example:0\r\n",
    "http://user@a.example/ HTTP/1.1\r\nHost: a.example\r\n",
];

const GET: [(&str, &str); 3] = [(":method", "GET"), (":scheme", "https"), (":path", "/")];
/// HPACK's index of `:status: 400`.
const STATUS_400: u8 = 0x8c;

/// A connection after a TLS handshake for `a.example`.
fn connect_tls(protocol: Protocol) -> Client {
    serve(echo(), ConnInfo::tls(SocketAddr::from(PEER), "a.example".parse().unwrap()), protocol)
}

/// A plain connection after its first response.
async fn kept_alive() -> Client {
    let mut client = connect(Protocol::Http1);
    client.send(get("a.example", "/")).await;
    client.read_until("a.example/ []").await;
    client
}

#[tokio::test(start_paused = true)]
async fn a_malformed_host_gets_400_over_http1() {
    for request in MALFORMED {
        for tls in [true, false] {
            let mut client = if tls { connect_tls(Protocol::Http1) } else { kept_alive().await };
            client.send(format!("POST {request}Content-Length: 4\r\n\r\nbody{}", get("a.example", "/next"))).await;
            let answer = String::from_utf8(client.read_to_end().await).unwrap();
            assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n"), "{request:?}: {answer:?}");
            assert!(answer.ends_with("\r\n\r\n") && answer.matches("HTTP/1.1").count() == 1, "{request:?}: {answer:?}");
            assert!(matches!(client.leave().await, Ended::Finished), "{request:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unserved_host_gets_no_response_over_http1() {
    for host in ["other.example", "127.0.0.1", "a.example.other"] {
        for tls in [true, false] {
            let mut client = if tls { connect_tls(Protocol::Http1) } else { kept_alive().await };
            client.send(get(host, "/")).await;
            assert_eq!(client.read_to_end().await, b"", "{host}");
            assert!(matches!(client.leave().await, Ended::Silenced), "{host}");
        }
    }
}

/// Starts an upload on a new connection and sends a second request with the headers `fields` before its body ends.
async fn send_during_upload(fields: &[(&str, &str)]) -> Client {
    let mut client = connect_tls(Protocol::Http2);
    let upload = [(":method", "POST"), (":scheme", "https"), (":path", "/"), (":authority", "a.example")];
    let mut post = http2::request(1, &upload);
    // Without END_STREAM.
    post[4] = 4;
    client.send([http2::hello(), post, frame(DATA, 0, 1, b"bo")].concat()).await;
    client.expect_only_settings().await;
    client.send(http2::request(3, &[&GET[..], fields].concat())).await;
    client
}

impl Client {
    async fn expect_only_settings(&mut self) {
        let frames = http2::frames_until(&mut self.io, |frame| frame.kind == http2::SETTINGS && frame.flags == 1).await;
        assert!(frames.iter().all(|frame| frame.stream == 0), "{frames:?}");
    }

    async fn finish_upload(&mut self) -> Vec<Frame> {
        self.send(frame(DATA, 1, 1, b"dy")).await;
        http2::frames_until(&mut self.io, |frame| frame.kind == DATA && frame.payload == b"a.example/ [body]").await
    }
}

#[tokio::test(start_paused = true)]
async fn a_malformed_host_does_not_affect_other_streams() {
    let cases: [&[(&str, &str)]; 7] = [
        &[],
        &[("host", "a.example"), ("host", "a.example")],
        &[(":authority", "a.example"), ("host", "b.example")],
        &[(":authority", "a.example"), ("host", "a.example,")],
        &[(":authority", "u@a.example")],
        &[(":authority", "a.example:0")],
        // A connection-specific header, which h2 itself rejects.
        &[(":authority", "a.example"), ("connection", "close")],
    ];
    for fields in cases {
        let mut client = send_during_upload(fields).await;
        let frames = http2::frames_until(&mut client.io, |frame| frame.stream == 3).await;
        let last = frames.last().unwrap();
        let refused = match last.kind {
            HEADERS => last.payload.contains(&STATUS_400),
            // PROTOCOL_ERROR.
            http2::RST_STREAM => last.payload == [0, 0, 0, 1],
            _ => false,
        };
        assert!(refused, "{fields:?}: {frames:?}");
        client.finish_upload().await;
        client.send(http2::get(5, "a.example")).await;
        http2::frames_until(&mut client.io, |frame| frame.is_ok_response(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_unserved_host_closes_the_connection_after_other_streams() {
    let mut client = send_during_upload(&[(":authority", "other.example")]).await;
    let before_goaway = http2::frames_until(&mut client.io, |frame| frame.kind == GOAWAY).await;
    // Longer than an idle connection would stay open.
    tokio::time::sleep(Duration::from_secs(30)).await;
    let rest = client.finish_upload().await;
    assert!(before_goaway.iter().chain(&rest).all(|frame| frame.stream != 3), "{before_goaway:?} {rest:?}");
    assert!(rest.iter().any(|frame| frame.is_ok_response(1)), "{rest:?}");
    while let Some(frame) = next_frame(&mut client.io).await {
        assert_eq!(frame.stream, 0, "{frame:?}");
    }
    assert!(matches!(client.leave().await, Ended::Silenced));
}

#[tokio::test(start_paused = true)]
async fn an_unserved_host_alone_closes_the_connection_at_once() {
    let mut client = connect_tls(Protocol::Http2);
    client.send([http2::hello(), http2::get(1, "other.example")].concat()).await;
    let mut kinds = Vec::new();
    while let Some(frame) = next_frame(&mut client.io).await {
        assert_eq!(frame.stream, 0, "{frame:?}");
        kinds.push(frame.kind);
    }
    assert!(kinds.contains(&GOAWAY), "{kinds:?}");
    assert_eq!(client.started.elapsed(), Duration::ZERO);
    assert!(matches!(client.leave().await, Ended::Silenced));
}
