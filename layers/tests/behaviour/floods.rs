//! HTTP/2 floods close the connection; legitimate clients that resemble them are served.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use pmesh_layers::{
    body::RequestBody,
    conn::ConnInfo,
    serve::{Ended, HttpServer, Protocol},
};
use tokio::{
    io::{AsyncWriteExt, DuplexStream},
    task::JoinHandle,
};
use tower::{BoxError, service_fn};

use super::support::{
    client::{PEER, connect},
    http2::{self, DATA, GOAWAY, HEADERS, PING, SETTINGS, frame, frames_until, get, hello, next_frame, request},
};

const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const WINDOW_UPDATE: u8 = 8;
const PRIORITY_UPDATE: u8 = 16;

const PIECE: usize = 16 * 1024;
const LARGE: usize = 16 * 1024 * 1024;

/// Serves a connection whose gate is open. `/` echoes, `/large` has a large response, and `/never` gets none.
fn serve() -> (DuplexStream, JoinHandle<Ended>) {
    let service = service_fn(async |request: Request<RequestBody>| {
        let body = match request.uri().path() {
            "/never" => std::future::pending().await,
            "/large" => {
                let piece = || Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b'x'; PIECE])));
                BodyExt::boxed(StreamBody::new(stream::repeat_with(piece).take(LARGE / PIECE)))
            }
            _ => Full::new(request.into_body().collect().await?.to_bytes()).boxed(),
        };
        Ok::<_, BoxError>(Response::new(body))
    });
    // Large enough for everything the server may send in response to a flood.
    let (client, server) = tokio::io::duplex(1024 * 1024);
    let info = ConnInfo::tls(SocketAddr::from(PEER), "a.example".parse().unwrap());
    let ended = tokio::spawn(async move { HttpServer::new().serve(server, info, Protocol::Http2, service).await });
    (client, ended)
}

fn head(stream: u32, path: &str, end: bool) -> Vec<u8> {
    let fields = [(":method", "POST"), (":scheme", "https"), (":path", path), (":authority", "a.example")];
    let mut head = request(stream, &fields);
    if !end {
        head[4] &= !1;
    }
    head
}

/// Sends `frames` as long as the server reads, and returns the last frame received.
async fn flood(client: DuplexStream, frames: impl Iterator<Item = Vec<u8>> + Send + 'static) -> Option<http2::Frame> {
    let (mut reader, mut writer) = tokio::io::split(client);
    let sender = tokio::spawn(async move {
        let _ = writer.write_all(&hello()).await;
        for frame in frames {
            if writer.write_all(&frame).await.is_err() {
                break;
            }
        }
        // Returned, so that the client's sending side stays open.
        writer
    });
    let mut last = None;
    while let Some(frame) = next_frame(&mut reader).await {
        last = Some(frame);
    }
    drop(reader);
    drop(sender.await);
    last
}

fn window_update(stream: u32) -> Vec<u8> {
    frame(WINDOW_UPDATE, 0, stream, &1_u32.to_be_bytes())
}

#[tokio::test(start_paused = true)]
async fn useless_frames_close_the_connection() {
    const MANY: usize = 12_000;
    let repeat = |frame: Vec<u8>| std::iter::repeat_n(frame, MANY);
    let in_body = |frame: Vec<u8>| [head(1, "/never", false), frame].concat();
    let floods: [(&str, Vec<u8>, Vec<u8>); 14] = [
        ("PING", vec![], frame(PING, 0, 0, &[0; 8])),
        ("acknowledgement of no PING", vec![], frame(PING, 1, 0, &[0; 8])),
        ("SETTINGS", vec![], frame(SETTINGS, 0, 0, &[])),
        ("SETTINGS that change the window", vec![], frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0].repeat(100))),
        ("WINDOW_UPDATE for the connection", vec![], window_update(0)),
        ("WINDOW_UPDATE for a stream", in_body(vec![]), window_update(1)),
        ("PRIORITY", vec![], frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 1])),
        ("PRIORITY_UPDATE", vec![], frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\x01u=1")),
        ("an unknown type", vec![], frame(99, 0, 0, &[0; 100])),
        ("GOAWAY", in_body(vec![]), frame(GOAWAY, 0, 0, &[0; 8])),
        ("RST_STREAM of a closed stream", in_body(vec![]), frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes())),
        ("padding", in_body(vec![]), frame(DATA, 8, 1, &[[254].as_slice(), &[0; 254]].concat())),
        ("a byte that nobody reads", in_body(vec![]), frame(DATA, 0, 1, b"x")),
        ("a byte that is read", head(1, "/", false), frame(DATA, 0, 1, b"x")),
    ];
    for (name, before, each) in floods {
        let (client, ended) = serve();
        let last = flood(client, std::iter::once(before).chain(repeat(each))).await.unwrap();
        let ended = ended.await.unwrap();
        // h2 itself closes the connection when small pieces pile up.
        let by_h2 = matches!(name, "padding" | "a byte that nobody reads");
        assert!(matches!(ended, Ended::Failed(_)) == by_h2, "{name}: {ended:?}");
        assert!(matches!(ended, Ended::Flooded) != by_h2, "{name}: {ended:?}");
        assert_eq!(last.kind, GOAWAY, "{name}");
        assert_eq!(last.payload[4..8], [0, 0, 0, 11], "{name}: ENHANCE_YOUR_CALM");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_before_the_gate_opens_gets_no_byte() {
    for frame in [frame(PRIORITY, 0, 1, &[0, 0, 0, 3, 1]), frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, &[])] {
        let client = connect(Protocol::Detect);
        assert_eq!(flood(client.io, std::iter::repeat_n(frame, 12_000)).await, None);
        assert!(matches!(client.ended.await.unwrap(), Ended::Flooded | Ended::Failed(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn rapid_resets_close_the_connection() {
    let (mut client, ended) = serve();
    client.write_all(&hello()).await.unwrap();
    let mut sent = 0;
    let mut last = None;
    // A PING, so that each request has reached the service before it is cancelled.
    while last.as_ref().is_none_or(|frame: &http2::Frame| frame.kind == PING) {
        let stream = 2 * sent + 1;
        let ping = frame(PING, 0, 0, &[0; 8]);
        client.write_all(&[head(stream, "/never", true), ping].concat()).await.unwrap();
        last = Some(frames_until(&mut client, |frame| matches!(frame.kind, PING | GOAWAY)).await.pop().unwrap());
        sent += 1;
        assert!(sent < 520, "{sent}");
        if client.write_all(&frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())).await.is_err() {
            break;
        }
    }
    assert_eq!(last.unwrap().payload[4..8], [0, 0, 0, 11]);
    assert!(sent > 500, "{sent}");
    drop(client);
    assert!(matches!(ended.await.unwrap(), Ended::Flooded));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cancels_half_of_its_requests_is_served() {
    let (mut client, ended) = serve();
    client.write_all(&hello()).await.unwrap();
    for number in 0..2000 {
        let (never, answered) = (4 * number + 1, 4 * number + 3);
        client.write_all(&[head(never, "/never", true), get(answered, "a.example")].concat()).await.unwrap();
        frames_until(&mut client, |frame| frame.kind == HEADERS && frame.stream == answered).await;
        client.write_all(&frame(RST_STREAM, 0, never, &8_u32.to_be_bytes())).await.unwrap();
    }
    assert!(!ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cancels_now_and_then_is_served() {
    let (mut client, ended) = serve();
    client.write_all(&hello()).await.unwrap();
    for number in 0..3000 {
        let stream = 2 * number + 1;
        client.write_all(&head(stream, "/never", true)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(25)).await;
        client.write_all(&frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())).await.unwrap();
    }
    assert!(!ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_download_can_be_acknowledged_in_small_pieces() {
    let (mut client, ended) = serve();
    client.write_all(&[hello(), head(1, "/large", true)].concat()).await.unwrap();
    let mut got = 0;
    while got < LARGE {
        let frame = next_frame(&mut client).await.unwrap();
        if frame.kind != DATA {
            continue;
        }
        got += frame.payload.len();
        // A PING, and for each KiB a WINDOW_UPDATE of the connection and one of the stream.
        let mut answer = http2::frame(PING, 0, 0, &[0; 8]);
        for piece in frame.payload.chunks(1024) {
            let size = u32::try_from(piece.len()).unwrap().to_be_bytes();
            answer.extend([0, 1].map(|stream| http2::frame(WINDOW_UPDATE, 0, stream, &size)).concat());
        }
        client.write_all(&answer).await.unwrap();
    }
    assert!(!ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn small_messages_can_each_come_with_a_ping() {
    let (mut client, ended) = serve();
    let messages = (0..50_000).map(|_| [frame(DATA, 0, 1, &[0; 5]), frame(PING, 0, 0, &[0; 8])].concat());
    client.write_all(&[hello(), head(1, "/", false)].concat()).await.unwrap();
    for message in messages {
        client.write_all(&message).await.unwrap();
        frames_until(&mut client, |frame| frame.kind == PING).await;
    }
    client.write_all(&frame(DATA, 1, 1, b"")).await.unwrap();
    frames_until(&mut client, |frame| frame.is_ok_response(1)).await;
    assert!(!ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn opening_a_window_byte_by_byte_closes_the_connection() {
    let (mut client, ended) = serve();
    // No initial window (RFC 9113, 6.5.2).
    let no_window = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let all = frame(WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
    client.write_all(&[hello(), no_window, all, head(1, "/large", true)].concat()).await.unwrap();
    let mut got = 0;
    loop {
        if client.write_all(&window_update(1)).await.is_err() {
            break;
        }
        let frames = frames_until(&mut client, |frame| matches!(frame.kind, DATA | GOAWAY)).await;
        if frames.last().unwrap().kind == GOAWAY {
            break;
        }
        got += 1;
        assert!(got < 20_000, "{got}");
    }
    drop(client);
    assert!(matches!(ended.await.unwrap(), Ended::Flooded));
}
