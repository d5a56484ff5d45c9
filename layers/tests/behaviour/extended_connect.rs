//! Upgrades over HTTP/2 (extended CONNECT): from clients, to backends, and how tunnels affect connections.

use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream, client, server};
use http::{Method, Request, Response};
use pmesh_layers::{
    body::RequestBody,
    conn::{ConnInfo, Control},
    framing::FramingLayer,
    hop_by_hop::HopByHopLayer,
    pool::{Http2Pool, Pool},
    serve::{Ended, HttpServer, Protocol},
    upgrade::{ExtendedConnectLayer, TunnelLayer},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    task::JoinHandle,
    time::Instant,
};
use tower::{BoxError, Service, ServiceBuilder};

use super::support::{
    backend::{Backend, Connector, backend, settle},
    client::PEER,
};

const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n";
const UPGRADE: &str = "GET /chat HTTP/1.1\r\nhost: a.test\r\nconnection: upgrade\r\nupgrade: chat, other\r\n\r\n";
const TUNNEL_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// The client's end of a connection, its [`Control`], and how it ended.
struct Served(DuplexStream, Control, JoinHandle<Ended>);

/// Serves a connection from `pool`, behind all layers that affect upgrades.
fn serve<S, R>(protocol: Protocol, pool: S) -> Served
where
    S: Service<Request<RequestBody>, Response = Response<R>, Future: Send, Error: Into<BoxError>>
        + Clone
        + Send
        + 'static,
    R: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let stack = ServiceBuilder::new()
        .layer(ExtendedConnectLayer::new())
        .layer(FramingLayer::new())
        .layer(HopByHopLayer::new())
        .layer(TunnelLayer::new().timeout(TUNNEL_TIMEOUT))
        .service(pool);
    let (client, server) = tokio::io::duplex(64 * 1024);
    let info = ConnInfo::tls(PEER.into(), "a.test".parse().unwrap());
    let control = info.control().clone();
    let ended =
        tokio::spawn(async move { HttpServer::new().extended_connect().serve(server, info, protocol, stack).await });
    Served(client, control, ended)
}

fn http1(connector: Connector) -> Pool<Connector> {
    Pool::new(connector, "http://backend".parse().unwrap())
}

fn http2(connector: Connector) -> Http2Pool<Connector> {
    Http2Pool::new(connector, "http://backend".parse().unwrap()).max_streams(1)
}

/// An HTTP/2 client.
struct Client {
    requests: client::SendRequest<Bytes>,
    /// Ends with the connection.
    connection: JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    async fn new(io: DuplexStream) -> Self {
        let (requests, connection) = client::handshake(io).await.unwrap();
        let connection = tokio::spawn(connection);
        let requests = requests.ready().await.unwrap();
        Self { requests, connection }
    }

    /// Sends an extended CONNECT, to be followed by the bytes of the tunnel.
    fn connect(&mut self, protocol: &'static str) -> (client::ResponseFuture, SendStream<Bytes>) {
        let request = Request::connect("https://a.test/chat").extension(h2::ext::Protocol::from_static(protocol));
        self.requests.send_request(request.body(()).unwrap(), false).unwrap()
    }
}

/// An HTTP/2 client with a tunnel to an HTTP/1.1 backend.
struct Tunnel {
    client: Client,
    near: Stream,
    far: DuplexStream,
    /// Further connections arrive here.
    backend: Backend,
    control: Control,
    ended: JoinHandle<Ended>,
}

async fn tunnel() -> Tunnel {
    let (connector, mut backend) = backend();
    let Served(io, control, ended) = serve(Protocol::Http2, http1(connector));
    let mut client = Client::new(io).await;
    let (response, send) = client.connect("chat");
    let mut far = backend.accept().await;
    far.head().await;
    far.send(SWITCHING).await;
    let response = response.await.unwrap();
    assert_eq!(response.status(), 200);
    Tunnel { client, near: Stream(send, response.into_body()), far: far.0, backend, control, ended }
}

/// One side of an HTTP/2 tunnel.
struct Stream(SendStream<Bytes>, RecvStream);

impl Stream {
    fn send(&mut self, bytes: &'static str) {
        self.0.send_data(bytes.into(), false).unwrap();
    }

    fn end(&mut self) {
        self.0.send_data(Bytes::new(), true).unwrap();
    }

    /// Asserts that `bytes` arrive next.
    async fn expect(&mut self, bytes: &str) {
        let mut received = Vec::new();
        while received.len() < bytes.len() {
            let data = self.1.data().await.unwrap().unwrap();
            self.1.flow_control().release_capacity(data.len()).unwrap();
            received.extend_from_slice(&data);
        }
        assert_eq!(received, bytes.as_bytes());
    }

    /// Returns once the peer has closed cleanly.
    async fn ends(&mut self) {
        assert!(self.1.data().await.is_none_or(|data| data.unwrap().is_empty()));
        assert!(self.1.is_end_stream());
    }
}

async fn expect(io: &mut DuplexStream, bytes: &str) {
    let mut received = vec![0; bytes.len()];
    io.read_exact(&mut received).await.unwrap();
    assert_eq!(received, bytes.as_bytes());
}

#[tokio::test]
async fn an_http2_client_reaches_an_http1_backend() {
    for client_ends_first in [true, false] {
        let (connector, mut backend) = backend();
        let Served(io, ..) = serve(Protocol::Http2, http1(connector));
        let mut client = Client::new(io).await;
        let (response, mut send) = client.connect("chat");
        send.send_data("early".into(), false).unwrap();
        let mut backend = backend.accept().await;
        let head = backend.head().await;
        assert!(head.starts_with("GET /chat HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("upgrade: chat\r\n") && head.contains("connection: upgrade\r\n"), "{head}");
        backend.send(&format!("{}welcome", SWITCHING.replace("\r\n\r\n", "\r\ncontent-length: 7\r\n\r\n"))).await;
        let response = response.await.unwrap();
        assert!(client.requests.is_extended_connect_protocol_enabled());
        assert_eq!(response.status(), 200);
        assert!(response.headers().keys().all(|name| name == "date"), "{:?}", response.headers());
        let (mut client, mut backend) = (Stream(send, response.into_body()), backend.0);
        client.expect("welcome").await;
        expect(&mut backend, "early").await;
        if client_ends_first {
            client.end();
            backend.read_to_end(&mut Vec::new()).await.unwrap();
            backend.write_all(b"answer").await.unwrap();
            client.expect("answer").await;
            drop(backend);
            client.ends().await;
        } else {
            backend.shutdown().await.unwrap();
            client.ends().await;
            client.send("answer");
            expect(&mut backend, "answer").await;
            client.end();
            assert_eq!(backend.read_to_end(&mut Vec::new()).await.unwrap(), 0);
        }
    }
}

#[tokio::test]
async fn a_refusal_is_an_ordinary_response() {
    let (connector, mut backend) = backend();
    let Served(io, ..) = serve(Protocol::Http2, http1(connector));
    let mut client = Client::new(io).await;
    let mut refusing = None;
    for _ in 0..2 {
        let (response, _send) = client.connect("chat");
        let backend = match &mut refusing {
            Some(backend) => backend,
            None => refusing.insert(backend.accept().await),
        };
        backend.head().await;
        backend.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno").await;
        let response = response.await.unwrap();
        assert_eq!(response.status(), 403);
        assert_eq!(response.into_body().data().await.unwrap().unwrap(), "no");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_with_an_idle_tunnel_is_kept_for_the_tunnel_timeout() {
    let Tunnel { client, mut near, mut far, control, ended, .. } = tunnel().await;
    for _ in 0..3 {
        tokio::time::sleep(TUNNEL_TIMEOUT * 2 / 3).await;
        near.send("ping");
        expect(&mut far, "ping").await;
        tokio::time::sleep(TUNNEL_TIMEOUT * 2 / 3).await;
        far.write_all(b"pong").await.unwrap();
        near.expect("pong").await;
    }
    let last_activity = Instant::now();
    near.ends().await;
    assert!(last_activity.elapsed() >= TUNNEL_TIMEOUT && last_activity.elapsed() < TUNNEL_TIMEOUT * 4 / 3);
    // The connection stays open until the usual idle timeout.
    client.requests.ready().await.unwrap();
    assert!(!ended.is_finished() && !control.is_draining());
    let idle = Instant::now();
    ended.await.unwrap();
    assert!(idle.elapsed() >= Duration::from_secs(75) && idle.elapsed() < Duration::from_secs(77));
}

#[tokio::test(start_paused = true)]
async fn only_the_stalled_response_next_to_a_tunnel_is_reset() {
    for moves in [true, false] {
        let Tunnel { mut client, mut near, mut far, mut backend, ended, .. } = tunnel().await;
        let request = Request::get("https://a.test/slow").body(()).unwrap();
        let (slow, _) = client.requests.send_request(request, true).unwrap();
        let mut exchange = backend.accept().await;
        exchange.send("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").await;
        let mut slow = slow.await.unwrap().into_body();
        assert_eq!(slow.data().await.unwrap().unwrap(), "half");
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_secs(50)).await;
            if moves {
                near.send("ping");
                expect(&mut far, "ping").await;
            }
        }
        let error = slow.data().await.unwrap().unwrap_err();
        assert_eq!(error.reason(), Some(Reason::CANCEL), "{moves}");
        far.write_all(b"pong").await.unwrap();
        near.expect("pong").await;
        assert!(!ended.is_finished());
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_cancels_or_leaves_closes_the_tunnel() {
    for reason in [Some(Reason::CANCEL), Some(Reason::INTERNAL_ERROR), None] {
        let Tunnel { client, mut near, mut far, .. } = tunnel().await;
        match reason {
            Some(reason) => near.0.send_reset(reason),
            None => client.connection.abort(),
        }
        assert_eq!(far.read(&mut [0]).await.unwrap(), 0);
        // The tunnel is closed in both directions.
        assert!(far.write_all(b"x").await.is_err(), "{reason:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_draining_connection_keeps_its_tunnels_until_they_end() {
    let Tunnel { client, mut near, mut far, control, ended, .. } = tunnel().await;
    let record = control.downgrade();
    control.drain();
    drop(control);
    tokio::time::sleep(TUNNEL_TIMEOUT / 2).await;
    near.send("still here");
    expect(&mut far, "still here").await;
    assert!(!ended.is_finished() && record.is_alive());
    drop(far);
    near.end();
    near.ends().await;
    assert!(matches!(ended.await.unwrap(), Ended::Finished));
    client.connection.await.unwrap().unwrap();
    settle().await;
    assert!(!record.is_alive());
}

#[tokio::test]
async fn a_plain_connect_is_rejected() {
    let (connector, backend) = backend();
    let Served(io, ..) = serve(Protocol::Http2, http1(connector));
    let mut client = Client::new(io).await;
    let request = Request::builder().method(Method::CONNECT).uri("a.test:443").body(()).unwrap();
    let (response, _send) = client.requests.send_request(request, false).unwrap();
    // This stack has no layer that responds to errors.
    assert!(response.await.is_err());
    assert!(!backend.has_waiting());
}

/// An HTTP/2 backend.
struct Peer(server::Connection<DuplexStream, Bytes>);

impl Peer {
    async fn accept(backend: &mut Backend, upgrades: bool) -> Self {
        let mut settings = server::Builder::new();
        if upgrades {
            settings.enable_connect_protocol();
        }
        Self(settings.handshake(backend.accept().await.0).await.unwrap())
    }

    async fn request(&mut self) -> (Request<RecvStream>, server::SendResponse<Bytes>) {
        self.0.accept().await.unwrap().unwrap()
    }

    /// Drives the connection until the pool closes it.
    fn run(mut self) -> JoinHandle<()> {
        tokio::spawn(async move { while let Some(Ok(_)) = self.0.accept().await {} })
    }
}

async fn read_head(io: &mut DuplexStream) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(io.read_u8().await.unwrap()));
    }
    head
}

/// An HTTP/1.1 client with a tunnel to an HTTP/2 backend.
async fn tunnel_to_http2() -> (DuplexStream, Stream, JoinHandle<()>, Backend, Http2Pool<Connector>) {
    let (connector, mut backend) = backend();
    let pool = http2(connector);
    let Served(mut client, ..) = serve(Protocol::Http1, pool.clone());
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    let mut peer = Peer::accept(&mut backend, true).await;
    let (request, mut response) = peer.request().await;
    assert_eq!((request.method(), request.uri().to_string()), (&Method::CONNECT, "http://a.test/chat".into()));
    assert_eq!(request.extensions().get::<h2::ext::Protocol>().unwrap().as_str(), "chat");
    assert!(request.headers().is_empty(), "{:?}", request.headers());
    let peer = peer.run();
    let send = response.send_response(Response::builder().header("x", "y").body(()).unwrap(), false).unwrap();
    let head = read_head(&mut client).await;
    assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("upgrade: chat\r\n") && head.contains("x: y"), "{head}");
    (client, Stream(send, request.into_body()), peer, backend, pool)
}

#[tokio::test]
async fn an_http1_client_reaches_an_http2_backend() {
    for client_ends_first in [true, false] {
        let (mut client, mut stream, ..) = tunnel_to_http2().await;
        stream.send("welcome");
        expect(&mut client, "welcome").await;
        client.write_all(b"hello").await.unwrap();
        stream.expect("hello").await;
        if client_ends_first {
            client.shutdown().await.unwrap();
            stream.ends().await;
            stream.send("answer");
            expect(&mut client, "answer").await;
            stream.end();
            assert_eq!(client.read_to_end(&mut Vec::new()).await.unwrap(), 0);
        } else {
            stream.end();
            assert_eq!(client.read_to_end(&mut Vec::new()).await.unwrap(), 0);
            client.write_all(b"answer").await.unwrap();
            stream.expect("answer").await;
            drop(client);
            stream.ends().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_counts_as_a_stream() {
    let (client, stream, peer, mut backend, pool) = tunnel_to_http2().await;
    // The limit is one, so the next request uses another connection.
    let Served(mut other, ..) = serve(Protocol::Http1, pool);
    other.write_all(b"GET / HTTP/1.1\r\nhost: a.test\r\n\r\n").await.unwrap();
    settle().await;
    assert!(backend.has_waiting());
    Peer::accept(&mut backend, true).await.request().await;
    tokio::time::sleep(TUNNEL_TIMEOUT / 2).await;
    assert!(!peer.is_finished());
    drop((client, stream));
    tokio::time::sleep(Duration::from_secs(121)).await;
    assert!(peer.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_cancels_or_leaves_closes_the_tunnel() {
    for leaves in [false, true] {
        let (mut client, mut stream, peer, ..) = tunnel_to_http2().await;
        if leaves {
            peer.abort();
        } else {
            stream.0.send_reset(Reason::CANCEL);
        }
        assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
        assert!(client.write_all(b"x").await.is_err(), "{leaves}");
    }
}

#[tokio::test]
async fn a_backend_without_upgrades_gets_an_ordinary_request() {
    let (connector, mut backend) = backend();
    let Served(mut client, ..) = serve(Protocol::Http1, http2(connector));
    client.write_all(UPGRADE.as_bytes()).await.unwrap();
    let mut peer = Peer::accept(&mut backend, false).await;
    let (request, mut response) = peer.request().await;
    assert_eq!(request.method(), Method::GET);
    let _peer = peer.run();
    response.send_response(Response::builder().status(426).body(()).unwrap(), true).unwrap();
    assert!(read_head(&mut client).await.starts_with("HTTP/1.1 426 "));
}

#[tokio::test]
async fn a_refusal_by_an_http2_backend_is_a_response() {
    for status in [403, 204] {
        let (connector, mut backend) = backend();
        let Served(mut client, ..) = serve(Protocol::Http1, http2(connector));
        client.write_all(UPGRADE.as_bytes()).await.unwrap();
        let mut peer = Peer::accept(&mut backend, true).await;
        let (_, mut response) = peer.request().await;
        let _peer = peer.run();
        response.send_response(Response::builder().status(status).body(()).unwrap(), true).unwrap();
        assert!(read_head(&mut client).await.starts_with(&format!("HTTP/1.1 {status} ")));
    }
}

#[tokio::test(start_paused = true)]
async fn an_unsent_upgrade_is_retried() {
    let (connector, mut backend) = backend();
    let pool = Http2Pool::new(connector, "http://backend".parse().unwrap());
    let Served(mut first, ..) = serve(Protocol::Http1, pool.clone());
    first.write_all(UPGRADE.as_bytes()).await.unwrap();
    let mut old = Peer::accept(&mut backend, true).await;
    let _held = old.request().await;
    old.0.graceful_shutdown();
    let _old = old.run();
    settle().await;
    let Served(mut second, ..) = serve(Protocol::Http1, pool);
    second.write_all(UPGRADE.as_bytes()).await.unwrap();
    let mut new = Peer::accept(&mut backend, true).await;
    let (request, mut response) = new.request().await;
    assert_eq!((request.method(), request.headers().len()), (&Method::CONNECT, 0));
    let _new = new.run();
    let _tunnel = response.send_response(Response::new(()), false).unwrap();
    assert!(read_head(&mut second).await.starts_with("HTTP/1.1 101 "));
}

#[tokio::test]
async fn an_http2_client_reaches_an_http2_backend() {
    let (connector, mut backend) = backend();
    let Served(io, ..) = serve(Protocol::Http2, http2(connector));
    let mut client = Client::new(io).await;
    let (response, send) = client.connect("websocket");
    let mut peer = Peer::accept(&mut backend, true).await;
    let (request, mut answer) = peer.request().await;
    assert_eq!(request.extensions().get::<h2::ext::Protocol>().unwrap().as_str(), "websocket");
    assert!(request.headers().is_empty(), "{:?}", request.headers());
    let _peer = peer.run();
    let mut far = Stream(answer.send_response(Response::new(()), false).unwrap(), request.into_body());
    let response = response.await.unwrap();
    assert_eq!((response.status().as_u16(), response.headers().get("sec-websocket-accept")), (200, None));
    let mut near = Stream(send, response.into_body());
    near.send("ping");
    far.expect("ping").await;
    far.send("pong");
    near.expect("pong").await;
    near.end();
    far.ends().await;
    far.end();
    near.ends().await;
}
