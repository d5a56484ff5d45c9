//! Fixed responses on the wire, and requests without a response.

use std::net::SocketAddr;

use axum::Router;
use http::{Request, Response, StatusCode};
use pmesh_layers::{
    body::{RequestBody, ResponseBody},
    conn::ConnInfo,
    fixed_response::{FixedResponse, Silence},
    respond::{NoResponse, RespondLayer},
    serve::{Ended, HttpServer, Protocol},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::{BoxError, ServiceBuilder, ServiceExt, util::BoxCloneService};

use super::support::{
    client::{Client, PEER, Stack, connect_to, gated, get, serve},
    http2::{self, DATA, HEADERS, RST_STREAM, SETTINGS, frame, frames_until},
};

/// The error code CANCEL (RFC 9113, 7).
const CANCEL: [u8; 4] = [0, 0, 0, 8];

fn fixed<R>(status: u16, body: &'static str) -> FixedResponse<R> {
    FixedResponse::new(StatusCode::from_u16(status).unwrap()).unwrap().body(body)
}

/// No response for `/silent`, 200 for everything else.
fn partly_silent() -> Stack {
    let service = tower::service_fn(async |request: Request<RequestBody>| match request.uri().path() {
        "/silent" => Silence::new().oneshot(request).await.map_err(BoxError::from),
        path => Ok(Response::new(path.to_owned())),
    });
    gated(ServiceBuilder::new().layer(RespondLayer::new().pass::<NoResponse>()).service(service))
}

fn tls(protocol: Protocol) -> Client {
    serve(partly_silent(), ConnInfo::tls(SocketAddr::from(PEER), "a.example".parse().unwrap()), protocol)
}

fn request(stream: u32, path: &str) -> Vec<u8> {
    let fields = [(":method", "GET"), (":scheme", "https"), (":path", path), (":authority", "a.example")];
    http2::request(stream, &fields)
}

/// The status, the headers about the body, and the body.
fn summary(answer: &str) -> (String, Vec<String>, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n").map(str::to_lowercase);
    let status = lines.next().unwrap();
    let mut headers: Vec<_> = lines.filter(|line| line.starts_with("content-")).collect();
    headers.sort_unstable();
    (status.split(' ').nth(1).unwrap().to_owned(), headers, body.to_owned())
}

#[tokio::test]
async fn head_and_bodiless_statuses_work_on_every_server() {
    let statuses = [(200, "hello"), (503, "hello"), (204, "hello"), (304, "hello"), (205, "hello"), (200, "")];
    for (status, body) in statuses {
        let app = Router::new().route_service("/", fixed::<axum::body::Body>(status, body));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(axum::serve(listener, app).into_future());
        for method in ["GET", "HEAD", "POST"] {
            let request = format!("{method} / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
            let mut under_axum = String::new();
            let mut client = TcpStream::connect(address).await.unwrap();
            client.write_all(request.as_bytes()).await.unwrap();
            client.read_to_string(&mut under_axum).await.unwrap();

            let (mut client, io) = tokio::io::duplex(4096);
            let info = ConnInfo::tls(SocketAddr::from(PEER), "a.example".parse().unwrap());
            let service = fixed::<ResponseBody>(status, body);
            tokio::spawn(async move { HttpServer::new().serve(io, info, Protocol::Http1, service).await });
            client.write_all(request.as_bytes()).await.unwrap();
            let mut alone = String::new();
            client.read_to_string(&mut alone).await.unwrap();

            let (is_bodiless, is_empty) = (matches!(status, 204 | 205 | 304), body.is_empty());
            let mut headers = Vec::new();
            if !matches!(status, 204 | 304) {
                headers.push(format!("content-length: {}", if is_bodiless { 0 } else { body.len() }));
            }
            if !is_bodiless && !is_empty {
                headers.push("content-type: text/plain; charset=utf-8".to_owned());
            }
            let sent = if is_bodiless || method == "HEAD" { "" } else { body };
            for (server, answer) in [("axum", under_axum), ("HttpServer", alone)] {
                let mut summary = summary(&answer);
                if method == "HEAD" && (is_empty || is_bodiless) {
                    // The server may omit the length of an empty body (RFC 9110, 9.3.2).
                    summary.1.retain(|header| header != "content-length: 0");
                    headers.retain(|header| header != "content-length: 0");
                }
                assert_eq!(summary, (status.to_string(), headers.clone(), sent.to_owned()), "{server} {method}");
            }
        }
        server.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_request_closes_its_http1_connection() {
    for (requests, answers) in [
        (get("a.example", "/silent"), &[][..]),
        (get("a.example", "/silent") + &get("a.example", "/next"), &[]),
        (
            "POST /silent HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n".to_owned(),
            &[],
        ),
        (get("a.example", "/first") + &get("a.example", "/silent"), &["/first"]),
    ] {
        for is_tls in [true, false] {
            let mut client = if is_tls { tls(Protocol::Http1) } else { connect_to(partly_silent(), Protocol::Detect) };
            client.send(&requests).await;
            let received = String::from_utf8(client.read_to_end().await).unwrap();
            assert_eq!(received.matches("HTTP/1.1").count(), answers.len(), "{requests:?}: {received:?}");
            assert!(answers.iter().all(|answer| received.ends_with(answer)), "{requests:?}: {received:?}");
            assert!(matches!(client.leave().await, Ended::Silenced), "{requests:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_request_ends_only_its_http2_stream() {
    let mut client = tls(Protocol::Http2);
    // The rest of its body is never sent.
    let fields = [(":method", "POST"), (":scheme", "https"), (":path", "/silent"), (":authority", "a.example")];
    let mut post = http2::request(1, &fields);
    post[4] = 4;
    client.send([http2::hello(), frame(SETTINGS, 1, 0, &[]), post].concat()).await;
    let frames = frames_until(&mut client.io, |frame| frame.kind == RST_STREAM).await;
    let reset = frames.last().unwrap();
    assert_eq!((reset.stream, &reset.payload[..]), (1, &CANCEL[..]));
    assert!(frames.iter().all(|frame| frame.kind != HEADERS));
    for stream in [3, 7] {
        client.send([request(stream, "/silent"), request(stream + 2, "/other")].concat()).await;
        let frames = frames_until(&mut client.io, |frame| frame.kind == DATA && frame.stream == stream + 2).await;
        assert!(frames.iter().any(|frame| frame.kind == RST_STREAM && frame.stream == stream));
        assert!(frames.iter().any(|frame| frame.is_ok_response(stream + 2)));
    }
    assert!(matches!(client.leave().await, Ended::Finished));
}

#[tokio::test(start_paused = true)]
async fn silence_before_a_served_name_sends_no_byte() {
    let stack = || {
        let silence = Silence::<String>::new();
        BoxCloneService::new(ServiceBuilder::new().layer(RespondLayer::new().pass::<NoResponse>()).service(silence))
    };
    for (protocol, request) in [
        (Protocol::Http1, get("a.example", "/").into_bytes()),
        (Protocol::Http2, [http2::hello(), http2::get(1, "a.example")].concat()),
        (Protocol::Detect, [http2::hello(), http2::get(1, "a.example")].concat()),
    ] {
        let mut client = connect_to(stack(), protocol);
        client.send(request).await;
        assert_eq!(client.read_to_end().await, b"", "{protocol:?}");
        assert!(matches!(client.leave().await, Ended::Silenced), "{protocol:?}");
    }
}
