//! Streaming responses (events, gRPC), which can be idle for long, next to responses that cannot.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, client};
use http::{Request, Response, header::CONTENT_TYPE};
use http_body_util::{
    BodyExt,
    channel::{Channel, Sender},
};
use pmesh_layers::{
    body::RequestBody,
    conn::ConnInfo,
    serve::{Ended, HttpServer, Protocol},
    silence::OpenGateLayer,
    stall::StallTimeouts,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tower::{BoxError, ServiceBuilder, service_fn};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

type Body = Sender<Bytes, Infallible>;

/// A connection to a service whose responses the test writes. The headers of a request set the content type and the
/// timeout of its response. Request bodies are read as they arrive.
struct Served {
    bodies: mpsc::UnboundedReceiver<Body>,
    ended: JoinHandle<Ended>,
}

impl Served {
    fn new(protocol: Protocol) -> (DuplexStream, Self) {
        let (responded, bodies) = mpsc::unbounded_channel();
        let stack = ServiceBuilder::new().layer(OpenGateLayer::new()).service(service_fn(
            move |request: Request<RequestBody>| {
                let (sender, body) = Channel::<Bytes, Infallible>::new(1);
                responded.send(sender).unwrap();
                let mut response = Response::new(body);
                if let Some(content_type) = request.headers().get("accept") {
                    response.headers_mut().insert(CONTENT_TYPE, content_type.clone());
                }
                if let Some(seconds) = request.headers().get("timeout") {
                    let timeout = Duration::from_secs(seconds.to_str().unwrap().parse().unwrap());
                    response.extensions_mut().insert(StallTimeouts::new().with_stall(timeout));
                }
                let mut request = request.into_body();
                tokio::spawn(async move { while let Some(Ok(_)) = request.frame().await {} });
                std::future::ready(Ok::<_, BoxError>(response))
            },
        ));
        let (client, server) = tokio::io::duplex(64 * 1024);
        let info = ConnInfo::plain(SocketAddr::from(([192, 0, 2, 1], 40000)));
        let ended = tokio::spawn(async move { HttpServer::new().serve(server, info, protocol, stack).await });
        (client, Self { bodies, ended })
    }

    async fn body(&mut self) -> Body {
        self.bodies.recv().await.unwrap()
    }

    /// Asserts that the connection ends with a stall, `expected` after `since` or up to a quarter later.
    async fn expect_stall(self, since: Instant, expected: Duration) {
        assert!(matches!(self.ended.await.unwrap(), Ended::Stalled));
        assert_took(since, expected);
    }
}

fn assert_took(since: Instant, expected: Duration) {
    let took = since.elapsed();
    assert!(took >= expected && took <= expected * 5 / 4 + Duration::from_secs(2), "{took:?}");
}

/// An HTTP/2 client.
struct Client(client::SendRequest<Bytes>);

/// One of its streams.
struct Stream {
    sends: SendStream<Bytes>,
    receives: RecvStream,
    /// The service's end of the response.
    body: Body,
}

impl Client {
    async fn new() -> (Self, Served) {
        let (io, served) = Served::new(Protocol::Http2);
        let (requests, connection) = client::handshake(io).await.unwrap();
        tokio::spawn(connection);
        (Self(requests), served)
    }

    /// Sends a request with these headers and an incomplete body, and starts the response.
    async fn open(&mut self, served: &mut Served, fields: &[(&str, &str)]) -> Stream {
        self.send(served, "POST", fields).await
    }

    /// Like [`open`](Self::open), for a request without a body.
    async fn get(&mut self, served: &mut Served, fields: &[(&str, &str)]) -> Stream {
        self.send(served, "GET", fields).await
    }

    async fn send(&mut self, served: &mut Served, method: &str, fields: &[(&str, &str)]) -> Stream {
        let mut request = Request::builder().method(method).uri("https://a.example/");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (response, sends) = self.0.send_request(request.body(()).unwrap(), method == "GET").unwrap();
        let body = served.body().await;
        Stream { sends, receives: response.await.unwrap().into_body(), body }
    }
}

const EVENTS: &[(&str, &str)] = &[("accept", "text/event-stream")];
const GRPC: &[(&str, &str)] = &[("accept", "application/grpc"), ("content-type", "application/grpc")];

impl Stream {
    async fn send_piece(&mut self) {
        self.body.send_data("piece".into()).await.unwrap();
        assert_eq!(self.receives.data().await.unwrap().unwrap(), "piece");
    }

    /// Asserts that the stream is reset `expected` after `since` or up to a quarter later.
    async fn expect_reset(mut self, since: Instant, expected: Duration) {
        let error = self.receives.data().await.unwrap().unwrap_err();
        assert_eq!(error.reason(), Some(Reason::CANCEL), "{error:?}");
        assert_took(since, expected);
        assert!(self.body.send_data("more".into()).await.is_err());
    }
}

fn request(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n")
}

async fn read_until(client: &mut DuplexStream, end: &str) {
    let mut got = Vec::new();
    while !got.ends_with(end.as_bytes()) {
        got.push(client.read_u8().await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_can_be_idle_for_an_hour() {
    for content_type in ["text/event-stream", "application/grpc-web"] {
        let (mut client, mut served) = Served::new(Protocol::Http1);
        client.write_all(request(&format!("Accept: {content_type}\r\n")).as_bytes()).await.unwrap();
        let mut body = served.body().await;
        sleep(HOUR - MINUTE).await;
        body.send_data("piece".into()).await.unwrap();
        read_until(&mut client, "piece\r\n").await;
        served.expect_stall(Instant::now(), HOUR).await;
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_idle_http2_stream_is_reset() {
    for fields in [EVENTS, GRPC] {
        let (mut client, mut served) = Client::new().await;
        let mut stream = client.open(&mut served, fields).await;
        sleep(HOUR - MINUTE).await;
        stream.send_piece().await;
        stream.expect_reset(Instant::now(), HOUR).await;
        assert!(!served.ended.is_finished());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_response_next_to_an_idle_stream_is_reset() {
    let (mut client, mut served) = Client::new().await;
    let mut before = client.get(&mut served, &[]).await;
    let mut events = client.get(&mut served, EVENTS).await;
    // From its next wait on, the stream watches its own timeout.
    before.send_piece().await;
    let since = Instant::now();
    let (after, uploads) = (client.get(&mut served, &[]).await, client.open(&mut served, &[]).await);
    for stream in [before, after, uploads] {
        stream.expect_reset(since, MINUTE).await;
    }
    sleep(HOUR / 2).await;
    events.send_piece().await;
    assert!(!served.ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn once_the_event_stream_has_ended_a_stall_closes_the_connection() {
    let (mut client, mut served) = Client::new().await;
    let _still = client.get(&mut served, &[]).await;
    let events = client.get(&mut served, EVENTS).await;
    sleep(MINUTE * 5).await;
    assert!(!served.ended.is_finished());
    drop(events);
    served.expect_stall(Instant::now(), MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_body_keeps_only_its_own_stream_open() {
    let (mut client, mut served) = Client::new().await;
    let (mut one, other) = (client.open(&mut served, GRPC).await, client.open(&mut served, GRPC).await);
    let since = Instant::now();
    let idle = tokio::spawn(other.expect_reset(since, HOUR));
    for _ in 0..5 {
        sleep(HOUR * 2 / 3).await;
        one.sends.send_data("message".into(), false).unwrap();
    }
    idle.await.unwrap();
    one.expect_reset(Instant::now(), HOUR).await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_can_leave_a_message_unread_for_a_while() {
    let (mut client, mut served) = Client::new().await;
    let Stream { mut receives, mut body, .. } = client.open(&mut served, GRPC).await;
    // More than a window (RFC 9113, 6.9.2). The client does not read yet.
    let sent = tokio::spawn(async move {
        for _ in 0..10 {
            body.send_data(vec![0; 16 * 1024].into()).await.unwrap();
        }
    });
    sleep(HOUR / 2).await;
    let mut got = 0;
    while got < 10 * 16 * 1024 {
        let piece = receives.data().await.unwrap().unwrap();
        receives.flow_control().release_capacity(piece.len()).unwrap();
        got += piece.len();
    }
    sent.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_reset_if_its_client_stops_reading_but_keeps_sending() {
    let (mut client, mut served) = Client::new().await;
    let Stream { mut receives, mut body, sends: _sends } = client.open(&mut served, GRPC).await;
    let since = Instant::now();
    while body.send_data(vec![0; 16 * 1024].into()).await.is_ok() {}
    // The client has this much time for each 16 KiB in flight.
    assert!(since.elapsed() >= HOUR && since.elapsed() < HOUR * 8);
    let error = loop {
        match receives.data().await.unwrap() {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.reason(), Some(Reason::CANCEL));
    assert!(!served.ended.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_response_can_have_its_own_timeout() {
    for (seconds, expected) in [("4", Duration::from_secs(4)), ("600", MINUTE * 10)] {
        let (mut client, mut served) = Served::new(Protocol::Http1);
        // It follows a slow response with the server's timeout.
        client.write_all(request("").as_bytes()).await.unwrap();
        let mut first = served.body().await;
        sleep(Duration::from_secs(20)).await;
        first.send_data("first".into()).await.unwrap();
        drop(first);
        read_until(&mut client, "0\r\n\r\n").await;
        client.write_all(request(&format!("Timeout: {seconds}\r\n")).as_bytes()).await.unwrap();
        let _body = served.body().await;
        served.expect_stall(Instant::now(), expected).await;

        let (mut client, mut served) = Client::new().await;
        let since = Instant::now();
        client.get(&mut served, &[("timeout", seconds)]).await.expect_reset(since, expected).await;
        assert!(!served.ended.is_finished());
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_response_has_the_server_timeout_again() {
    let (mut client, mut served) = Served::new(Protocol::Http1);
    client.write_all(request("Accept: text/event-stream\r\n").as_bytes()).await.unwrap();
    let mut events = served.body().await;
    for _ in 0..2 {
        sleep(HOUR / 2).await;
        events.send_data("event".into()).await.unwrap();
    }
    drop(events);
    read_until(&mut client, "0\r\n\r\n").await;
    client.write_all(request("").as_bytes()).await.unwrap();
    let _body = served.body().await;
    served.expect_stall(Instant::now(), MINUTE).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_idle_as_soon_as_its_stream_has_ended() {
    let (mut client, mut served) = Served::new(Protocol::Http1);
    client.write_all(request("Accept: text/event-stream\r\n").as_bytes()).await.unwrap();
    let mut events = served.body().await;
    sleep(HOUR / 2).await;
    events.send_data("event".into()).await.unwrap();
    drop(events);
    read_until(&mut client, "0\r\n\r\n").await;
    let since = Instant::now();
    assert!(matches!(timeout(HOUR, served.ended).await.unwrap().unwrap(), Ended::Idle));
    assert_took(since, Duration::from_secs(75));
}
