//! The server's public interface.

use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::{BoxError, Service};

use super::{Ended, Protocol, served::Served, settings::ServerSettings};
use crate::{body::RequestBody, conn::ConnInfo, durations::bounded, silence::IntoRaw};

/// Serves HTTP on connections, behind a [`Gate`](crate::silence::Gate).
///
/// Nothing is written until the gate opens. It opens when a request passes an
/// [`OpenGateLayer`](crate::silence::OpenGateLayer) in the service. With a [`ConnInfo`] from [`ConnInfo::tls`] or
/// `ConnInfo::node`, it is open from the start. See [`silence`](crate::silence) for an example.
///
/// If the service returns an error, the request gets no response, and the connection is closed in silence. Once the gate
/// is open, there are three exceptions:
///
/// - A [`HostRejected`](crate::host::HostRejected) that [is malformed](crate::host::HostRejected::is_malformed) is
///   answered with 400.
/// - Over HTTP/2, a [`NoResponse`](crate::respond::NoResponse) resets only the stream of its request.
/// - Over HTTP/2, any other error closes the connection with a GOAWAY, after its other streams have finished.
///
/// To answer errors instead, put a [`RespondLayer`](crate::respond::RespondLayer) into the service.
///
/// A connection can be a TCP, Unix or TLS stream, an in-memory pipe, or any other type that implements [`IntoRaw`].
///
/// An idle HTTP/1 connection is cheap. Before its first byte, and after 20 ms without a request in flight, it holds no
/// HTTP server and no buffer, only its clone of your service. Besides its IO, it then takes about 500 bytes if the
/// future is spawned as a task of its own.
///
/// Connections on the same runtime take turns. In each turn, an HTTP/1 connection moves 64 KiB of a body, and an HTTP/2
/// connection polls 8 streams and reads 32 frames. A connection with a hundred requests in flight therefore delays
/// others no longer than a connection with a few.
///
/// ```
/// use http::{Request, Response};
/// use pmesh_layers::{body::RequestBody, conn::ConnInfo, serve::{Ended, HttpServer, Protocol}, silence::OpenGateLayer};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tower::{BoxError, ServiceBuilder};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let service = ServiceBuilder::new()
///     .layer(OpenGateLayer::new())
///     .service_fn(async |_: Request<RequestBody>| Ok::<_, BoxError>(Response::new(String::from("hello"))));
///
/// // Any connection; here, a pipe.
/// let (mut client, connection) = tokio::io::duplex(4096);
/// let info = ConnInfo::plain(([192, 0, 2, 1], 40000).into());
/// let control = info.control().clone();
/// let served = tokio::spawn(async move { HttpServer::new().serve(connection, info, Protocol::Http1, service).await });
///
/// client.write_all(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n").await?;
/// let mut answer = [0; 15];
/// client.read_exact(&mut answer).await?;
/// assert_eq!(&answer, b"HTTP/1.1 200 OK");
///
/// // On shutdown: requests in flight complete, then the connection is closed.
/// control.drain();
/// client.read_to_end(&mut Vec::new()).await?;
/// assert!(matches!(served.await?, Ended::Finished));
/// # Ok(())
/// # }
/// ```
///
/// The service can also be an `axum::Router`. Extensions that its extractors expect from `axum::serve` have to be
/// inserted:
///
/// ```
/// use axum::{Router, extract::ConnectInfo, routing::get};
/// use http::Request;
/// use pmesh_layers::{
///     body::RequestBody,
///     conn::ConnInfo,
///     host::{HostLayer, HostSet},
///     silence::OpenGateLayer,
/// };
/// use std::net::SocketAddr;
/// use tower::{BoxError, ServiceBuilder};
///
/// # fn main() -> Result<(), BoxError> {
/// let app: Router = Router::new().route("/", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string()));
/// let service = ServiceBuilder::new()
///     .layer(HostLayer::new(HostSet::new(["app.example".parse()?])))
///     .layer(OpenGateLayer::new())
///     .map_request(|mut request: Request<RequestBody>| {
///         if let Some(peer) = request.extensions().get().map(ConnInfo::peer) {
///             request.extensions_mut().insert(ConnectInfo(peer));
///         }
///         request
///     })
///     .service(app);
/// # drop(async move {
/// #     let (_, pipe) = tokio::io::duplex(1);
/// #     use pmesh_layers::serve::{HttpServer, Protocol};
/// #     HttpServer::new().serve(pipe, ConnInfo::plain(([192, 0, 2, 1], 1).into()), Protocol::Detect, service).await
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct HttpServer(Arc<ServerSettings>);

impl Default for HttpServer {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpServer {
    /// Creates a server with the default settings. Each method below states its default.
    pub fn new() -> Self {
        Self(Arc::new(ServerSettings::new()))
    }

    /// Sets the maximum time for a client to name a served host, from the start of the connection. Default: 10 s.
    #[must_use]
    pub fn silence_deadline(mut self, deadline: Duration) -> Self {
        self.settings().limits.silence_deadline = bounded(deadline);
        self
    }

    /// Sets the maximum time that a connection may be idle, with no request in flight and no tunnel open.
    /// Default: 75 s.
    ///
    /// A connection stops being idle with the first byte of the next request; over HTTP/2, with the end of its head.
    #[must_use]
    pub fn keep_alive_timeout(mut self, timeout: Duration) -> Self {
        self.settings().limits.keep_alive_timeout = bounded(timeout);
        self
    }

    /// Sets the maximum time for a client to send the head of a request, from its first byte on. Default: 10 s.
    ///
    /// While the gate is closed, the silence deadline applies instead. An HTTP/2 connection with an unfinished head
    /// counts as idle.
    #[must_use]
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.settings().limits.head_timeout = bounded(timeout);
        self
    }

    /// Sets the maximum time without progress once a response has begun. Progress of the rest of its request counts too.
    /// Default: 60 s.
    ///
    /// Over HTTP/1, each byte to or from the client is progress. Over HTTP/2, progress is each piece of a request body
    /// that the service reads, each piece of a response body that is taken from it, and each DATA frame sent; PING and
    /// WINDOW_UPDATE do not count. A stall can be noticed late, by up to a quarter of the timeout. The connection is
    /// then closed with a RST, so that the client does not mistake what has arrived for a whole response.
    ///
    /// An HTTP/2 stream is reset if a piece of its response waits for this long because the client does not read, even
    /// while other streams make progress. If more is buffered ahead of that piece, the client gets this time again for
    /// each 16 KiB.
    ///
    /// For event streams and gRPC, [`stream_timeout`](Self::stream_timeout) applies instead. The service can set
    /// another timeout for a response, with a [`StallLayer`](crate::stall::StallLayer).
    #[must_use]
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.settings().limits.stall_timeout = bounded(timeout);
        self
    }

    /// Sets the maximum time without progress for a response that is a stream and may be quiet for long: an event
    /// stream (`text/event-stream`) or gRPC (`application/grpc`). Default: 1 hour.
    ///
    /// While an HTTP/2 connection has such a stream, a tunnel, or a response with a timeout of its own, a stall does
    /// not close the connection. Instead, each of its streams is reset if it makes no progress for its own timeout. A
    /// response that has already stalled when the first of them begins is not noticed until the last of them has ended.
    #[must_use]
    pub fn stream_timeout(mut self, timeout: Duration) -> Self {
        self.settings().limits.stream_timeout = bounded(timeout);
        self
    }

    /// Sets the maximum length of a request head, in bytes. Default: 64 KiB.
    ///
    /// A longer head is answered with 431 or 414 over HTTP/1, and with 431 over HTTP/2. While the gate is closed, the
    /// connection is closed in silence instead.
    #[must_use]
    pub fn max_head(mut self, bytes: u32) -> Self {
        self.settings().set_max_head(bytes);
        self
    }

    /// Sets the maximum number of headers in an HTTP/1 request. Default: 100.
    ///
    /// A request with more is answered with 431, or with silence while the gate is closed. Any number other than 100
    /// costs an allocation per request.
    #[must_use]
    pub fn max_headers(mut self, count: usize) -> Self {
        self.settings().set_max_headers(count);
        self
    }

    /// Sets the maximum number of concurrent requests on an HTTP/2 connection. Further requests are refused.
    /// Default: 128.
    #[must_use]
    pub fn max_streams(mut self, count: u32) -> Self {
        self.settings().limits.max_streams = count;
        self
    }

    /// Accepts extended CONNECT (RFC 8441), by which HTTP/2 clients request upgrades, and announces this in SETTINGS.
    /// Off by default.
    ///
    /// The service needs an [`ExtendedConnectLayer`](crate::upgrade::ExtendedConnectLayer).
    #[must_use]
    pub fn extended_connect(mut self) -> Self {
        self.settings().limits.extended_connect = true;
        self
    }

    /// Trusts HTTP/2 clients that are proxies themselves, which carry the requests of many clients and limit each of
    /// them. Off by default.
    ///
    /// Such a proxy may cancel any number of requests. Each of its requests may have a full window of body data waiting,
    /// so that one client's upload does not hold up the requests of another. Programs that call the service on their own
    /// behalf do not need this.
    #[must_use]
    pub fn trust_clients(mut self) -> Self {
        self.settings().limits.trusting = true;
        self
    }

    /// Serves `io` until the connection is closed. Each request carries `info` in its extensions; its
    /// [`Control`](crate::conn::Control) can drain or silence the connection.
    pub fn serve<IO, S, B>(
        &self,
        io: IO,
        info: ConnInfo,
        protocol: Protocol,
        service: S,
    ) -> impl Future<Output = Ended> + Send + use<IO, S, B>
    where
        IO: AsyncRead + AsyncWrite + IntoRaw + Unpin + Send + 'static,
        S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        Served::new(Arc::clone(&self.0), io, info, protocol, service)
    }

    /// The settings, to change for this server alone.
    fn settings(&mut self) -> &mut ServerSettings {
        Arc::make_mut(&mut self.0)
    }
}
