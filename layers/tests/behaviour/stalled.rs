//! Responses and uploads that stall, because of the client or the service.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{
    BodyExt, StreamBody,
    channel::{Channel, Sender},
    combinators::BoxBody,
};
use hyper::body::Frame;
use pmesh_layers::{
    body::RequestBody,
    conn::ConnInfo,
    serve::{Ended, HttpServer, Protocol},
    silence::OpenGateLayer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
    task::JoinHandle,
    time::Instant,
};
use tower::{BoxError, ServiceBuilder, service_fn};

use super::support::http2::{self, DATA, HEADERS, PING};

const TIMEOUT: Duration = Duration::from_secs(60);
/// A stall must be noticed within this time.
const LATEST: Duration = Duration::from_secs(77);

type Bodies = mpsc::UnboundedReceiver<Sender<Bytes, Infallible>>;

/// A connection to a service whose responses the test writes.
fn connect(protocol: Protocol) -> (DuplexStream, Bodies, JoinHandle<Ended>) {
    let (responded, bodies) = mpsc::unbounded_channel();
    serve(
        protocol,
        move |_| {
            let (sender, body) = Channel::new(1);
            responded.send(sender).unwrap();
            body.boxed()
        },
        bodies,
    )
}

/// A connection to a service whose responses never end.
fn connect_endless(protocol: Protocol) -> (DuplexStream, JoinHandle<Ended>) {
    let endless = || {
        let piece = Bytes::from(vec![b'x'; 16 * 1024]);
        StreamBody::new(futures_util::stream::repeat_with(move || Ok(Frame::data(piece.clone()))))
    };
    let (client, (), ended) = serve(protocol, move |_| BodyExt::boxed(endless()), ());
    (client, ended)
}

fn serve<T>(
    protocol: Protocol,
    respond: impl Fn(Request<RequestBody>) -> BoxBody<Bytes, Infallible> + Clone + Send + 'static,
    with: T,
) -> (DuplexStream, T, JoinHandle<Ended>) {
    let stack = ServiceBuilder::new().layer(OpenGateLayer::new()).service(service_fn(move |request| {
        let response = Response::new(respond(request));
        std::future::ready(Ok::<_, BoxError>(response))
    }));
    let (client, server) = tokio::io::duplex(64 * 1024);
    let info = ConnInfo::plain(SocketAddr::from(([192, 0, 2, 1], 40000)));
    let ended = tokio::spawn(async move { HttpServer::new().serve(server, info, protocol, stack).await });
    (client, with, ended)
}

/// Asserts that the connection ends in time because of the stall.
async fn assert_stalled(ended: JoinHandle<Ended>, since: Instant) {
    assert!(matches!(ended.await.unwrap(), Ended::Stalled));
    let waited = since.elapsed();
    assert!(waited >= TIMEOUT && waited < LATEST, "{waited:?}");
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_response_that_stalls_is_cut_off() {
    let (mut client, mut bodies, ended) = connect(Protocol::Http1);
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    let mut body = bodies.recv().await.unwrap();
    // A response can take long, as long as it makes progress.
    for _ in 0..5 {
        body.send_data("piece".into()).await.unwrap();
        tokio::time::sleep(TIMEOUT - Duration::from_secs(20)).await;
    }
    body.send_data("last".into()).await.unwrap();
    assert_stalled(ended, Instant::now()).await;
    let mut got = String::new();
    client.read_to_string(&mut got).await.unwrap();
    assert!(got.ends_with("4\r\nlast\r\n"), "{got}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_cut_off() {
    let (mut client, ended) = connect_endless(Protocol::Http1);
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    assert_stalled(ended, Instant::now()).await;

    let (mut client, ended) = connect_endless(Protocol::Http1);
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    for _ in 0..10 {
        client.read_exact(&mut [0; 1000]).await.unwrap();
        tokio::time::sleep(TIMEOUT / 2).await;
    }
    assert!(!ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_request_body_that_stalls_after_the_response_has_begun_closes_the_connection() {
    let (mut client, mut bodies, ended) = connect(Protocol::Http1);
    client.write_all(b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 10\r\n\r\nhalf.").await.unwrap();
    let _body = bodies.recv().await.unwrap();
    assert_stalled(ended, Instant::now()).await;
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_response_does_not_count_as_a_stall() {
    let stack = ServiceBuilder::new().layer(OpenGateLayer::new()).service_fn(async |_: Request<RequestBody>| {
        tokio::time::sleep(TIMEOUT * 5).await;
        Ok::<_, BoxError>(Response::new(String::from("late")))
    });
    let (mut client, server) = tokio::io::duplex(1024);
    let info = ConnInfo::plain(SocketAddr::from(([192, 0, 2, 1], 40000)));
    tokio::spawn(async move { HttpServer::new().serve(server, info, Protocol::Http1, stack).await });
    client.write_all(REQUEST.as_bytes()).await.unwrap();
    let mut status = [0; 15];
    client.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200 OK");
}

#[tokio::test(start_paused = true)]
async fn an_http2_connection_is_closed_if_no_stream_progresses() {
    let (mut client, mut bodies, ended) = connect(Protocol::Http2);
    client.write_all(&[http2::hello(), http2::get(1, "a.example"), http2::get(3, "a.example")].concat()).await.unwrap();
    let (_still, mut moving) = (bodies.recv().await.unwrap(), bodies.recv().await.unwrap());
    for _ in 0..5 {
        moving.send_data("piece".into()).await.unwrap();
        http2::frames_until(&mut client, |frame| frame.kind == DATA).await;
        tokio::time::sleep(TIMEOUT - Duration::from_secs(20)).await;
    }
    moving.send_data("last".into()).await.unwrap();
    let stalled = Instant::now();
    // PINGs do not count as progress.
    let ping = http2::frame(PING, 0, 0, &[0; 8]);
    while client.write_all(&ping).await.is_ok() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_stalled(ended, stalled).await;
}

#[tokio::test(start_paused = true)]
async fn http2_clients_that_open_no_window_are_cut_off() {
    let (mut client, ended) = connect_endless(Protocol::Http2);
    client.write_all(&[http2::hello(), http2::get(1, "a.example")].concat()).await.unwrap();
    http2::frames_until(&mut client, |frame| frame.kind == HEADERS).await;
    let since = Instant::now();
    // Reads as much as the window allows.
    while http2::next_frame(&mut client).await.is_some() {}
    assert_stalled(ended, since).await;
}

#[tokio::test(start_paused = true)]
async fn unread_http2_streams_are_reset_even_if_others_progress() {
    const RST_STREAM: u8 = 3;
    let (mut client, mut bodies, ended) = connect(Protocol::Http2);
    client.write_all(&[http2::hello(), http2::get(1, "a.example"), http2::get(3, "a.example")].concat()).await.unwrap();
    let (mut stuck, mut moving) = (bodies.recv().await.unwrap(), bodies.recv().await.unwrap());
    // The connection has a window, but the stream has none left after 65,535 bytes (RFC 9113, 6.9.2).
    client.write_all(&http2::frame(8, 0, 0, &(1_u32 << 30).to_be_bytes())).await.unwrap();
    for _ in 0..5 {
        stuck.send_data(vec![0; 16 * 1024].into()).await.unwrap();
    }
    let since = Instant::now();
    let reset = loop {
        if moving.send_data("piece".into()).await.is_err() {
            panic!("the wrong stream was reset");
        }
        let frames = http2::frames_until(&mut client, |frame| frame.kind == DATA && frame.stream == 3).await;
        if frames.iter().any(|frame| frame.kind == RST_STREAM && frame.stream == 1) {
            break since.elapsed();
        }
        assert!(since.elapsed() < TIMEOUT * 10, "the stalled stream was never reset");
        tokio::time::sleep(TIMEOUT / 4).await;
    };
    // About 64 KiB are in flight.
    assert!(reset >= TIMEOUT && reset <= TIMEOUT * 6, "{reset:?}");
    assert!(stuck.send_data("more".into()).await.is_err());
    assert!(!ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn slow_http2_clients_are_not_reset() {
    let (mut client, mut bodies, ended) = connect(Protocol::Http2);
    // No window at first (RFC 9113, 6.5.2).
    let no_window = http2::frame(4, 0, 0, &[0, 4, 0, 0, 0, 0]);
    client.write_all(&[http2::hello(), no_window, http2::get(1, "a.example")].concat()).await.unwrap();
    let mut body = bodies.recv().await.unwrap();
    tokio::spawn(async move { while body.send_data(vec![0; 256 * 1024].into()).await.is_ok() {} });
    let mut got = 0;
    while got < 10 * 16 * 1024 {
        tokio::time::sleep(TIMEOUT / 2).await;
        client.write_all(&http2::frame(8, 0, 1, &(10_u32 * 1024).to_be_bytes())).await.unwrap();
        client.write_all(&http2::frame(8, 0, 0, &(10_u32 * 1024).to_be_bytes())).await.unwrap();
        got += http2::frames_until(&mut client, |frame| frame.kind == DATA).await.last().unwrap().payload.len();
    }
    assert!(!ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn http2_streams_that_wait_for_the_service_are_not_reset_while_others_progress() {
    let (mut client, mut bodies, ended) = connect(Protocol::Http2);
    client.write_all(&[http2::hello(), http2::get(1, "a.example"), http2::get(3, "a.example")].concat()).await.unwrap();
    let (mut waiting, mut moving) = (bodies.recv().await.unwrap(), bodies.recv().await.unwrap());
    waiting.send_data("first".into()).await.unwrap();
    for _ in 0..40 {
        moving.send_data("piece".into()).await.unwrap();
        http2::frames_until(&mut client, |frame| frame.kind == DATA && frame.stream == 3).await;
        tokio::time::sleep(TIMEOUT / 4).await;
    }
    waiting.send_data("last".into()).await.unwrap();
    http2::frames_until(&mut client, |frame| frame.kind == DATA && frame.stream == 1).await;
    assert!(!ended.is_finished());
}
