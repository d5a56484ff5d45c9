//! The client's end of a connection to an [`HttpServer`], over a pipe in memory.

use std::net::SocketAddr;

use http::{Request, Response};
use http_body_util::BodyExt;
use pmesh_layers::{
    body::RequestBody,
    conn::{ConnInfo, Control},
    host::{HostLayer, HostName, HostSet},
    serve::{Ended, HttpServer, Protocol},
    silence::OpenGateLayer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    task::JoinHandle,
    time::{Duration, Instant},
};
use tower::{BoxError, ServiceBuilder, util::BoxCloneService};

pub(crate) type Stack = BoxCloneService<Request<RequestBody>, Response<String>, BoxError>;

pub(crate) const PEER: ([u8; 4], u16) = ([192, 0, 2, 1], 40000);

/// Puts `service` behind the gate, for `a.example`, `b.example` and names below `wild.example`.
pub(crate) fn gated<S>(service: S) -> Stack
where
    S: tower::Service<Request<RequestBody>, Response = Response<String>, Error = BoxError> + Clone + Send + 'static,
    S::Future: Send,
{
    let hosts = HostSet::new(["a.example", "b.example", "*.wild.example"].map(|host| host.parse().unwrap()));
    BoxCloneService::new(
        ServiceBuilder::new().layer(HostLayer::new(hosts)).layer(OpenGateLayer::new()).service(service),
    )
}

/// Responds with the requested host and path, and the body.
pub(crate) fn echo() -> Stack {
    gated(tower::service_fn(async |request: Request<RequestBody>| {
        let host = request.extensions().get::<HostName>().cloned().unwrap();
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await?.to_bytes();
        Ok::<_, BoxError>(Response::new(format!("{host}{path} [{}]", String::from_utf8_lossy(&body))))
    }))
}

pub(crate) struct Client {
    pub(crate) io: DuplexStream,
    pub(crate) control: Control,
    pub(crate) ended: JoinHandle<Ended>,
    pub(crate) started: Instant,
}

/// A new connection to [`echo`].
pub(crate) fn connect(protocol: Protocol) -> Client {
    connect_to(echo(), protocol)
}

pub(crate) fn connect_to(stack: Stack, protocol: Protocol) -> Client {
    serve(stack, ConnInfo::plain(SocketAddr::from(PEER)), protocol)
}

pub(crate) fn serve(stack: Stack, info: ConnInfo, protocol: Protocol) -> Client {
    let (io, server) = tokio::io::duplex(256 * 1024);
    let control = info.control().clone();
    let ended = tokio::spawn(async move { HttpServer::new().serve(server, info, protocol, stack).await });
    Client { io, control, ended, started: Instant::now() }
}

impl Client {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.io.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Everything that arrives until the server closes the connection.
    pub(crate) async fn read_to_end(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        self.io.read_to_end(&mut all).await.unwrap();
        all
    }

    /// Everything that arrives, up to and including `end`.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        let mut all = Vec::new();
        while !all.ends_with(end.as_bytes()) {
            let byte = self.io.read_u8().await;
            all.push(byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&all))));
        }
        String::from_utf8(all).unwrap()
    }

    /// Asserts that nothing arrives for `time`, with tokio's clock paused.
    pub(crate) async fn expect_nothing_for(&mut self, time: Duration) {
        let received = tokio::time::timeout(time, self.io.read_u8()).await;
        assert!(received.is_err(), "{received:?}");
    }

    /// Closes the client's side. Returns how the server's side ended.
    pub(crate) async fn leave(self) -> Ended {
        drop(self.io);
        self.ended.await.unwrap()
    }
}

/// An HTTP/1.1 request without a body.
pub(crate) fn get(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

/// The number of occurrences of `part`.
pub(crate) fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}
